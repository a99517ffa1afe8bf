import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path

import pytest
import zmq
from typer.testing import CliRunner

from edge_daemon.cli.app import app
from edge_daemon.errors import ConfigurationError, RecordingError
from edge_daemon.ingest.endpoint import connect_push
from edge_daemon.recordings.recording import read_recording
from tests.conftest import PATIENCE_S, free_port, wait_until
from tests.edge_daemon.conftest import START_S, messages_of

SMALL = ["--coil-length-m", "0.3", "--codec", "jpeg", "--seed", "7"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("drawn") / "line.mcap"
    done = CliRunner().invoke(app, ["simulate", "--out", str(path), *SMALL])
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{path}: 3 frames of 1 coils, ")
    return path


def test_a_line_is_drawn_alike_with_equal_seeds(drawn: Path, tmp_path: Path) -> None:
    again, other = tmp_path / "again.mcap", tmp_path / "other.mcap"
    CliRunner().invoke(app, ["simulate", "--out", str(again), *SMALL])
    CliRunner().invoke(app, ["simulate", "--out", str(other), *SMALL[:-1], "8"])
    assert again.read_bytes() == drawn.read_bytes()
    assert other.read_bytes() != drawn.read_bytes()


def start_recorder(address: str, out: Path, *options: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "edge_daemon", "record", "--bind", address, "--out", str(out)]
    return subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)


def play(recording: Path, address: str) -> str:
    """Play it as soon as somebody listens; returns what was said."""
    arguments = ["camera", str(recording), "--connect", address, "--speed", "max", "--wait"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_what_a_camera_plays_is_recorded_part_by_part(drawn: Path, tmp_path: Path) -> None:
    out, address = tmp_path / "again.mcap", f"tcp://127.0.0.1:{free_port()}"
    with start_recorder(address, out, "--frames", "3") as recorder:
        said = play(drawn, address)
        kept, _ = recorder.communicate(timeout=START_S)
    assert said == "3 frames sent, 0 dropped, 0 unreadable\n"
    size = sum(len(part) for parts in messages_of(drawn) for part in parts)
    assert kept == f"3 frames, {size} bytes in {out}, 0 too large to keep\n"
    assert messages_of(out) == messages_of(drawn)


def test_no_door_for_everybody_is_opened_without_a_word(tmp_path: Path) -> None:
    out, bind = tmp_path / "line.mcap", f"tcp://0.0.0.0:{free_port()}"
    arguments = ["record", "--bind", bind, "--out", str(out), "--seconds", "0.1"]
    refused = CliRunner().invoke(app, arguments)
    assert isinstance(refused.exception, ConfigurationError)
    assert "--config" in str(refused.exception)
    config = tmp_path / "config.toml"
    config.write_text('[ingest]\nplain_tcp = "anyone-may-connect"\n')
    allowed = CliRunner().invoke(app, [*arguments, "--config", str(config)])
    assert allowed.exit_code == 0, allowed.output


def test_an_interrupt_finishes_a_recording(drawn: Path, tmp_path: Path) -> None:
    out, address = tmp_path / "again.mcap", f"tcp://127.0.0.1:{free_port()}"
    with start_recorder(address, out) as recorder:
        play(drawn, address)
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=PATIENCE_S)
    assert recorder.returncode == 0
    assert out.exists()


def numbers_in(recording: Path) -> list[int]:
    """Which of the numbered messages can be read, in order."""
    numbers: list[int] = []
    with contextlib.suppress(RecordingError):  # it was never finished, and says so at the end
        numbers.extend(int(message.parts[1]) for message in read_recording(recording))
    return numbers


def send_numbers(address: str, stop: threading.Event) -> None:
    with connect_push(address, linger_ms=0) as socket:
        for n in count():
            while not socket.poll(100, zmq.POLLOUT):
                if stop.is_set():
                    return
            socket.send_multipart([b"top-1", b"%d" % n, bytes(50_000)])
            if stop.wait(0.001):
                return


@pytest.mark.parametrize(
    "kill", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 20))]
)
def test_all_that_a_killed_recorder_had_synced_is_there(tmp_path: Path, kill: int) -> None:
    out, address = tmp_path / "line.mcap", f"ipc://{tmp_path}/frames"
    part, stop = tmp_path / "line.mcap.part", threading.Event()
    sender = threading.Thread(target=send_numbers, args=(address, stop))
    with start_recorder(address, out) as recorder:
        sender.start()
        wait_until(lambda: part.exists() and bool(numbers_in(part)), within_s=START_S)
        time.sleep(random.Random(kill).uniform(0.0, 1.5))  # noqa: S311 - repeatable moments
        synced = numbers_in(part)
        recorder.send_signal(signal.SIGKILL)
    stop.set()
    sender.join()
    numbers = numbers_in(part)
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= len(synced) > 0
    assert not out.exists()
