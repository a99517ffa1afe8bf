import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge_daemon.cli.app import app
from tests.conftest import PATIENCE_S, free_port
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


def test_an_interrupt_finishes_a_recording(drawn: Path, tmp_path: Path) -> None:
    out, address = tmp_path / "again.mcap", f"tcp://127.0.0.1:{free_port()}"
    with start_recorder(address, out) as recorder:
        play(drawn, address)
        recorder.send_signal(signal.SIGINT)
        recorder.communicate(timeout=PATIENCE_S)
    assert recorder.returncode == 0
    assert out.exists()
