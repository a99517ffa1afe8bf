"""`bench` as a person or a script calls it: real daemon, real ZeroMQ, briefly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    quick = ["--strips", "4", "--pairs", "1", "--seconds", "0.5", "--cameras", "2"]
    command = [sys.executable, "-m", "edge_daemon", "bench", *quick, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> "subprocess.CompletedProcess[str]":
    old = tmp_path_factory.mktemp("bench") / "old.json"
    old.write_text(json.dumps({"stage_ms": {"decode raw": 0.01, "gone": 1.0}, "whole": []}))
    words = ("--json", "--transport", "ipc", "--codec", "jpeg", "--compare", str(old))
    done = bench(*words)
    assert done.returncode == 0, done.stderr
    return done


def test_every_stage_and_the_whole_are_measured(
    measured: "subprocess.CompletedProcess[str]",
) -> None:
    result = json.loads(measured.stdout)
    assert {"decode raw", "decode jpeg", "decode png", "network, batch 1"} <= set(
        result["stage_ms"]
    )
    assert all(milliseconds > 0 for milliseconds in result["stage_ms"].values())
    (whole,) = result["whole"]
    assert (whole["cameras"], whole["codec"]) == (2, "jpeg")
    assert whole["strips_per_s"] > 0
    assert whole["ratio"] == whole["ratios"][0]
    assert whole["line_m_per_s"] == pytest.approx(whole["strips_per_s"] / 2 * 256 * 0.0005)
    assert whole["bottleneck"] in whole["busy"]
    assert 50 < whole["resident_mib"] < 1000


def test_an_older_result_is_set_beside_the_new_one(
    measured: "subprocess.CompletedProcess[str]",
) -> None:
    assert "now / then" in measured.stderr
    assert "decode raw, ms" in measured.stderr
    assert "gone" not in measured.stderr


def test_a_file_that_is_no_older_result_is_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    path = tmp_path / "old.json"
    path.write_text('{"stage_ms": {}}')
    done = bench("--compare", str(path))
    assert done.returncode == 1
    assert "is no result of an earlier `edge-daemon bench --json`" in done.stderr
