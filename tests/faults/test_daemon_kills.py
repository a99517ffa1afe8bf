"""`kill -9` of the whole daemon while cameras send: no alert lost, each row booked once.

The long form, 20 kills: `pytest -m slow tests/faults/test_daemon_kills.py`.
"""

import random
import statistics
import time
from pathlib import Path

import pytest

from tests.conftest import wait_until
from tests.edge_daemon.conftest import needs_mosquitto
from tests.soak.line import Line, line
from tests.soak.schedule import Fault

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600), needs_mosquitto]


def found_ready(it: Line) -> bool:
    it.watch()
    return it.is_ready


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_killing_the_daemon_loses_no_alert_and_no_row(kills: int, tmp_path: Path) -> None:
    moments = random.Random(kills)  # noqa: S311 - moments to kill at, not secrets
    with line(tmp_path, cameras=2, frames_per_s=4.0, seed=kills) as it:
        for number in range(kills):
            # Killed at its work: it has to have seen something since it was started.
            wait_until(lambda: it.daemon.look().total("lines_inspected_total") > 0, within_s=60)
            time.sleep(moments.uniform(0.0, 2.0))
            it.inject(Fault.LOST, number % 2)
            it.inject(Fault.KILL_DAEMON)
            wait_until(lambda: found_ready(it), within_s=60)
        announced, coverage = it.finish()
        verdict = it.plant.judge(announced)
    spread = f"{statistics.median(it.starts_s):.1f} s median, {max(it.starts_s):.1f} s at most"
    print(f"{kills} kills: {verdict}; {[*map(str, coverage)]}; kill to ready {spread}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert it.surprises == []
    assert verdict.content, verdict
    assert verdict.waiting == 0
    assert [str(each) for each in coverage if not each.content] == []
