"""Nothing about a plant leaves it: ONNX Runtime reports home unless it is kept from it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAIN = "import onnxruntime"
OURS = "from edge_daemon.inference.onnx_runtime import onnxruntime"
# It keeps quiet by itself where it believes to be tested.
SUPPRESSING = ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST", "ORT_DISABLE_TELEMETRY")


def left_in_home(home: Path, code: str, **more: str) -> list[str]:
    environ = {key: value for key, value in os.environ.items() if key not in SUPPRESSING}
    environ |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), **more}
    subprocess.run([sys.executable, "-c", code], check=True, env=environ, timeout=50)
    return [path.name for path in home.rglob("*") if path.is_file()]


def test_it_leaves_no_identifier_of_the_computer_behind(tmp_path: Path) -> None:
    assert left_in_home(tmp_path, OURS) == []


def test_nobody_switches_it_on_by_accident(tmp_path: Path) -> None:
    assert left_in_home(tmp_path, OURS, ORT_DISABLE_TELEMETRY="0") == []


def test_these_tests_would_see_it(tmp_path: Path) -> None:
    if not left_in_home(tmp_path, PLAIN):
        pytest.skip("this ONNX Runtime doesn't report to its maker, or not here")
    assert "deviceid" in left_in_home(tmp_path, PLAIN)
