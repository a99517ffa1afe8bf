"""The short form: everything real, every kind of fault at least once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.station import REPOSITORY
from tests.soak.schedule import Fault

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600), needs_mosquitto]


def soak(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tests.soak", *options],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_half_a_minute_of_everything_loses_nothing_and_leaks_nothing(tmp_path: Path) -> None:
    done = soak("--minutes", "0.6", "--fps", "1.5", "--json", "--keep", str(tmp_path))
    result = json.loads(done.stdout)
    assert result["complaints"] == []
    assert done.returncode == 0
    assert set(result["faults"]) == {fault.value for fault in Fault}
    assert len(result["coverage"]) == 4
    assert result["delivery"]["delivered"] > 20
    assert len(done.stderr.splitlines()) >= 3  # one every 10 s


def test_a_soak_that_is_too_short_says_so() -> None:
    done = soak("--minutes", "0.1")
    assert done.returncode == 2
    assert "--minutes" in done.stderr
