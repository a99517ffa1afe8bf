"""The demo, as `make demo` runs it: real processes, with and without a broker."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ARGUMENTS = ["--coils", "1", "--coil-length-m", "2", "--fps", "20"]


def run_demo(out: Path, *options: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edge_daemon.demo", "--out", str(out), *ARGUMENTS, *options],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(120)
@pytest.mark.broker
def test_the_demo_shows_alerts_from_a_broker_and_leaves_a_picture(tmp_path: Path) -> None:
    if shutil.which("mosquitto", path=f"{os.environ['PATH']}:/usr/sbin") is None:
        pytest.skip("mosquitto is not installed")
    shown = run_demo(tmp_path / "out")
    assert "alerts go to a mosquitto" in shown
    assert "online=True" in shown
    assert "coil=C1001" in shown
    assert cv2.imread(str(tmp_path / "out" / "strips.png")) is not None
    assert (tmp_path / "out" / "report" / "index.html").stat().st_size > 0
    records = (tmp_path / "out" / "frames.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(record)["verdict"] for record in records} >= {"clean", "defective"}


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_without_mosquitto_the_daemon_shows_what_it_would_send(tmp_path: Path) -> None:
    shown = run_demo(tmp_path / "out", "--no-broker")
    assert "the daemon keeps the alerts and shows them" in shown
    assert "defect" in shown
