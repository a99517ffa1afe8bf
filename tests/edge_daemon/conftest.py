"""The daemon as a process of its own, and a line for it to look at."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import pytest
import zmq
from prometheus_client.parser import text_string_to_metric_families

from edge_daemon.core.wire import Codec
from edge_daemon.recordings.recording import read_recording
from edge_daemon.recordings.simulated import SimulationSettings, write_simulated
from edge_daemon.simulation.line import SyntheticLine
from tests.conftest import PATIENCE_S, free_port, wait_until

FRAMES_PER_COIL, ROWS = 6, 256
needs_mosquitto = pytest.mark.skipif(
    shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin") is None,
    reason="mosquitto is not installed",
)
START_S = 60.0
"""Patience with what takes a second or two, for computers that have something else to do."""


class DaemonProcess:
    """`edge-daemon run` with a configuration of its own, on free ports.

    Started again it keeps its ports and its state. `lines` are appended to the configuration.
    """

    def __init__(self, folder: Path, *lines: str, mqtt_url: str | None = None) -> None:
        self.frames = f"tcp://127.0.0.1:{free_port()}"
        self.http = f"127.0.0.1:{free_port()}"
        self.state = folder / "state"
        self.config = folder / "config.toml"
        self.log = folder / "log"
        self.out = folder / "out"
        self.environ: dict[str, str] = {}
        self.stdout: int | None = None
        self.command = [sys.executable, "-m", "edge_daemon", "run", "--config", str(self.config)]
        mqtt = ["[mqtt]", 'root = "edge/test"']
        mqtt += [f'url = "{mqtt_url}"'] if mqtt_url else []
        # A busy computer may be slow; what a frame's age does is tested elsewhere.
        text = ["[ingest]", f'bind = "{self.frames}"', "max_age_s = 60"]
        text += ["[http]", f'bind = "{self.http}"', "[state]", f'directory = "{self.state}"']
        text += [*mqtt, *lines]
        self.config.write_text("\n".join(text) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.push(self.__exit__)
            self.start()
            self.await_ready()
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)

    def start(self) -> None:
        with self.log.open("ab") as log, self.out.open("ab") as out:
            self._process = subprocess.Popen(
                self.command,
                stdout=out if self.stdout is None else self.stdout,
                stderr=log,
                env=os.environ | self.environ,
            )

    def await_ready(self) -> None:
        """Return when it says that it inspects."""
        wait_until(lambda: self.get("/readyz")[0] == http.HTTPStatus.OK, within_s=START_S)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def hang_up(self) -> None:
        """Have it read its configuration anew."""
        os.kill(self.pid, signal.SIGHUP)

    @staticmethod
    @contextmanager
    def holding(address: str) -> Iterator[None]:
        """Somebody else is bound to an address that it shall want."""
        with zmq.Context() as context, context.socket(zmq.PULL) as socket:
            socket.bind(address)
            yield

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        return self.await_end()

    def await_end(self) -> int:
        """Return the exit code of a daemon that leaves."""
        assert self._process is not None
        code = self._process.wait(PATIENCE_S)
        self._process = None
        return code

    def get(self, path: str) -> tuple[int, str]:
        """Status and body; status 0 where nobody answers."""
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        connection = http.client.HTTPConnection(self.http, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except OSError:
            return 0, ""
        finally:
            connection.close()

    def scrape(self) -> "Scrape":
        return Scrape(self.get("/metrics")[1])

    def await_frames(self, received: int) -> None:
        """Return when so many frames were taken in since the start, whatever became of them."""
        wait_until(
            lambda: self.scrape().total("frames_received_total") >= received, within_s=START_S
        )

    @contextmanager
    def camera(self) -> "Iterator[zmq.Socket[bytes]]":
        """A socket that waits for the daemon rather than losing anything."""
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.setsockopt(zmq.LINGER, 0)
            socket.setsockopt(zmq.SNDTIMEO, int(PATIENCE_S * 1000))
            socket.connect(self.frames)
            yield socket


class Scrape:
    """What `/metrics` said."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        self._samples = [sample for family in families for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """Sum of the series `edge_daemon_NAME` that have these labels."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name == f"edge_daemon_{name}" and labels.items() <= sample.labels.items()
        )


def edge_daemon(*arguments: str | Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the command line to its end."""
    return subprocess.run(
        [sys.executable, "-m", "edge_daemon", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=START_S,
        env=os.environ | environ,
    )


def messages_of(recording: Path) -> list[list[bytes]]:
    return [message.parts for message in read_recording(recording)]


def read_json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def renumbered(parts: Sequence[bytes], **changes: object) -> list[bytes]:
    """A message with other values in its header."""
    header = json.loads(parts[1]) | changes
    return [parts[0], json.dumps(header).encode(), *parts[2:]]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record three short coils with defects on each, drawn for this purpose."""
    path = tmp_path_factory.mktemp("line") / "line.mcap"
    length_mm = FRAMES_PER_COIL * ROWS * 0.5
    line = SyntheticLine(seed=6, coils=3, coil_length_mm=length_mm, defects_per_m=4.0)
    write_simulated(path, SimulationSettings(line, codec=Codec.JPEG))
    return path
