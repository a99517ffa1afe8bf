"""The wall clock of the box jumps while the daemon runs, and while it is dead."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import DaemonProcess, messages_of, needs_mosquitto
from tests.faults.evidence import read_outbox
from tests.faults.plant import Plant
from tests.faults.station import REPOSITORY, TOPICS

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300), needs_mosquitto]
HOUR_S, YEAR_S = 3600, 365 * 86400
LEAPS_S = (HOUR_S, -HOUR_S, 10 * YEAR_S, -10 * YEAR_S)


class LeapingDaemon(DaemonProcess):
    """The daemon with a wall clock of its own."""

    def __init__(self, folder: Path, *, mqtt_url: str) -> None:
        super().__init__(folder, mqtt_url=mqtt_url)
        self._offset = folder / "offset"
        self.leap(0)

    def leap(self, seconds: int) -> None:
        """Set the clock, at once: it must never read half a number."""
        new = self._offset.with_suffix(".new")
        new.write_text(str(seconds))
        new.rename(self._offset)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.leaping", self.config, self._offset],
                stdout=log,
                stderr=log,
                cwd=REPOSITORY,
                env=os.environ | self.environ,
            )


def test_no_jump_of_the_clock_stalls_or_loses_anything(recording: Path, tmp_path: Path) -> None:
    frames = messages_of(recording)
    with (
        Mosquitto(tmp_path) as broker,
        Plant(broker.port, TOPICS) as plant,
        LeapingDaemon(tmp_path, mqtt_url=broker.url) as daemon,
    ):
        sent = 0
        with daemon.camera() as camera:
            for leap_s in (0, *LEAPS_S):
                daemon.leap(leap_s)
                for parts in frames[sent : sent + 2]:
                    camera.send_multipart(parts)
                sent += 2
                daemon.await_frames(sent)
                wait_until(lambda: daemon.get("/readyz")[0] == 200)
        wait_until(lambda: daemon.scrape().total("outbox_depth") == 0)
        assert daemon.scrape().total("lines_not_inspected_total") == 0
        outbox = daemon.state / "outbox.sqlite3"
        daemon.stop(signal.SIGKILL)
        announced = read_outbox(outbox, tmp_path)
        daemon.leap(LEAPS_S[-1])
        daemon.start()
        daemon.await_ready()
        with daemon.camera() as camera:
            camera.send_multipart(frames[sent])
            daemon.await_frames(1)
        wait_until(lambda: daemon.scrape().total("outbox_depth") == 0)
        assert daemon.stop() == 0
        announced = announced.joined(read_outbox(outbox, tmp_path))
        verdict = plant.judge(announced)
    print(verdict)  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert verdict.content, verdict
    assert verdict.waiting == 0
    years = {message["ts"][:4] for message in plant.durable()}
    assert len(years) > 1, "the clock didn't jump"
