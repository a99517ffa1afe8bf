"""A broker that is killed forgets what it has acknowledged; the plant hears it all the same.

The long form, 30 kills of each kind: `pytest -m slow tests/faults/test_broker_deaths.py`.
"""

import random
import time
from pathlib import Path

import pytest

from tests.conftest import Mosquitto
from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.plant import Plant
from tests.faults.proxy import Proxy
from tests.faults.station import TOPICS, StationProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(1200), needs_mosquitto]
CAREFUL = ("persistence true", "autosave_interval 1", "autosave_on_changes true")
"""As docs/mqtt.md recommends it; without these lines mosquitto keeps nothing over a crash."""
RATE = "100"


@pytest.mark.parametrize("settings", [CAREFUL, ()], ids=["careful", "default"])
@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.slow)])
def test_killing_the_broker_loses_nothing(
    settings: tuple[str, ...], kills: int, tmp_path: Path
) -> None:
    moments = random.Random(kills)  # noqa: S311 - moments to kill at, not secrets
    if settings:
        settings = (*settings, f"persistence_location {tmp_path}/", "max_queued_messages 0")
    # The proxy keeps the station out until the plant listens again: a default mosquitto forgets its
    # subscribers too, and takes what nobody subscribes to with "no matching subscribers".
    with (
        Mosquitto(tmp_path, *settings) as broker,
        Plant(broker.port, TOPICS) as plant,
        Proxy(broker.port) as proxy,
        StationProcess(tmp_path, "--port", str(proxy.port), "--rate", RATE) as station,
    ):
        for _ in range(kills):
            time.sleep(moments.uniform(0.2, 1.0))
            broker.kill()
            with proxy.shut():
                broker.start()
                plant.await_return()
            plant.await_more(10)
        verdict = plant.hear_out(station)
    print(f"{kills} kills of a broker with {settings or 'default settings'}: {verdict}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert verdict.content, verdict
    assert verdict.announced > 10 * kills
