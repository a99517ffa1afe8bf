"""`python -m tests.faults.station`: courier and outbox in a process of their own, under load.

It announces as fast as it is told to and writes `seq id` to its log as soon as a message is on
disk, before or while it is sent. No network, no camera: it starts quickly and can be killed often.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from edge_daemon.clock import SystemClock
from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import CoverageEvent, HealthReport, StatusReport
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Booking, Courier
from edge_daemon.delivery.patience import DEFAULT_PATIENCE, Patience
from edge_daemon.signals import stop_on_signals
from tests.conftest import PATIENCE_S, wait_until
from tests.faults.evidence import Announced, read_outbox

ROOT = "edge/test"
TOPICS = f"{ROOT}/#"
REPOSITORY = Path(__file__).resolve().parents[2]
HASTE = Patience(ack_deadline_s=2.0, reconnect_s=(0.05, 0.2), refused_s=(0.1, 0.2), health_s=1.0)
"""Waits for tests; what they prove doesn't depend on how long a wait is."""
STATUS = StatusReport(online=True, state="running", version="1", bundle="b", started_at=iso_utc(0))
HEALTH = HealthReport(
    uptime_s=1.0,
    frames_received=0,
    frames_rejected=0,
    lines_inspected=0,
    lines_not_inspected=0,
    outbox_depth=0,
    cameras=0,
    inspecting=True,
)


class Deaf:
    """Observes nothing."""

    def depth_changed(self, depth: int, oldest_ns: int | None) -> None:
        """Not kept."""

    def connection_changed(self, *, connected: bool) -> None:
        """Not kept."""

    def confirmed(self, latency_s: float | None, *, unrouted: bool) -> None:
        """Not kept."""

    def dead(self, topic: str, reason: str) -> None:
        """Not kept."""


def stretch(line: int) -> Announcement:
    """An announcement that can be told from every other."""
    return Announcement(
        CoverageEvent(
            camera="a",
            stream="s",
            reason=NotInspectedReason.LOST,
            from_line=line,
            to_line=line + 1,
            lines=1,
        )
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Announce until SIGTERM, or `--count` messages and then wait for it; returns 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("outbox", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--port", type=int, default=0, help="of the broker; 0: there is none")
    parser.add_argument("--rate", type=float, default=1000.0, help="messages a second")
    parser.add_argument("--count", type=int, default=sys.maxsize)
    parser.add_argument("--patient", action="store_true", help="the daemon's own waits")
    given = parser.parse_args(arguments)
    log = os.open(given.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    numbers = iter(range(sys.maxsize))

    def note(_topic: str, payload: bytes) -> None:
        message = json.loads(payload)
        os.write(log, f"{message['seq']} {message['id']}\n".encode())

    broker = Broker.from_url(f"mqtt://127.0.0.1:{given.port}", ROOT) if given.port else None
    with (
        stop_on_signals() as stop,
        Courier(
            given.outbox,
            STATUS,
            health=lambda: HEALTH,
            broker=broker,
            clock=SystemClock(),
            observer=Deaf(),
            on_announced=note,
            patience=DEFAULT_PATIENCE if given.patient else HASTE,
        ) as courier,
    ):
        began_s, told = time.monotonic(), 0
        while told < given.count and not stop.is_set():
            some = min(1 + told % 3, given.count - told)
            told += some
            courier.submit(Booking(tuple(stretch(next(numbers)) for _ in range(some))), 1.0)
            stop.wait(max(began_s + told / given.rate - time.monotonic(), 0.0))
        stop.wait()
    return 0


class StationProcess:
    """The process above, which keeps its outbox over its deaths.

    Args:
        folder: for outbox and log.
        options: of the command line.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        self.outbox = folder / "outbox.sqlite3"
        self.log = folder / "announced"
        self.errors = folder / "errors"
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._lines_before = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            self._process = None

    @property
    def pid(self) -> int:
        """Of the process that lives."""
        assert self._process is not None
        return self._process.pid

    @property
    def announced(self) -> int:
        """How many messages were announced by all processes together."""
        return self.log.read_bytes().count(b"\n") if self.log.exists() else 0

    def start(self, *options: str) -> float:
        """Start, wait until something new is announced; return how many seconds that took."""
        self._lines_before = self.announced
        began_s = time.monotonic()
        command = [sys.executable, "-m", "tests.faults.station", self.outbox, self.log]
        with self.errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [*map(str, command), *self._options, *options], cwd=REPOSITORY, stderr=errors
            )
        wait_until(self._announces)
        return time.monotonic() - began_s

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within_s: float = PATIENCE_S) -> int:
        """Send a signal and return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(within_s)
        self._process = None
        return code

    def testimony(self) -> Announced:
        """What was announced until now, from the log and from the disk.

        Raises:
            ValueError: the two contradict each other.
        """
        lines = self.log.read_text().splitlines(keepends=True)
        pairs = [line.split() for line in lines if line.endswith("\n")]  # not one cut by a kill
        logged = {int(seq): message_id for seq, message_id in pairs}
        on_disk = read_outbox(self.outbox, self._folder)
        return Announced(max(logged, default=0), logged).joined(on_disk)

    def _announces(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.errors.read_text()
        return self.announced > self._lines_before


if __name__ == "__main__":
    sys.exit(main())
