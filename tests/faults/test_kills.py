"""`kill -9` of the process that announces, at random moments, under load.

The long form, 200 kills: `pytest -m slow tests/faults/test_kills.py`.
"""

import random
import signal
import statistics
import time
from pathlib import Path

import pytest

from tests.conftest import Mosquitto
from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.plant import Plant
from tests.faults.station import TOPICS, StationProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1200), needs_mosquitto]
LONGEST_LIFE_S = 0.5
RATE = "500"


@pytest.mark.parametrize("kills", [6, pytest.param(200, marks=pytest.mark.slow)])
def test_kill_9_at_random_moments_loses_nothing(kills: int, tmp_path: Path) -> None:
    moments = random.Random(kills)  # noqa: S311 - moments to kill at, not secrets
    starts_s = []
    with Mosquitto(tmp_path) as broker, Plant(broker.port, TOPICS) as plant:
        station = StationProcess(tmp_path, "--port", str(broker.port), "--rate", RATE)
        with station:
            for _ in range(kills):
                time.sleep(moments.uniform(0, LONGEST_LIFE_S))
                assert station.stop(signal.SIGKILL) == -signal.SIGKILL
                starts_s.append(station.start())
            verdict = plant.hear_out(station)
    print(f"{kills} kills: {verdict}; start to first announcement {_spread(starts_s)}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert verdict.content, verdict
    assert verdict.announced > 10 * kills


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s median, {max(seconds):.2f} s at most"
