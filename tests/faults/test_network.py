"""What networks do to a connection: each fault is noticed, survived, and costs no message.

The long forms wait as the daemon does (keep-alive 10 s, reconnect after up to 30 s):
`pytest -m slow tests/faults/test_network.py`.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.plant import Plant
from tests.faults.proxy import Proxy, Weather
from tests.faults.station import TOPICS, StationProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300), needs_mosquitto]
KEEPALIVE_S, RECOVERED_S = 10.0, 30.0
FAULTS = ("closed", "reset", Weather.BLACK_HOLE, Weather.HALF_OPEN, Weather.TRICKLE)


def inflict(fault: str, proxy: Proxy) -> None:
    """Let it happen to every connection."""
    match fault:
        case "closed":
            proxy.drop()
        case "reset":
            proxy.reset()
        case _:
            proxy.weather = Weather(fault)


@dataclass(frozen=True)
class Line:
    """A station, the plant, and the network between."""

    station: StationProcess
    plant: Plant
    proxy: Proxy

    def await_notice(self) -> float:
        """Return how many seconds it took until the station said that the connection is gone."""
        began_s, said = time.monotonic(), self.complaints
        wait_until(lambda: self.complaints > said, within_s=3 * KEEPALIVE_S)
        return time.monotonic() - began_s

    def await_recovery(self) -> float:
        """Return how many seconds it took until the plant heard something again."""
        began_s, heard = time.monotonic(), len(self.plant.messages)
        wait_until(lambda: len(self.plant.messages) > heard, within_s=2 * RECOVERED_S)
        return time.monotonic() - began_s

    @property
    def complaints(self) -> int:
        return self.station.errors.read_text().count("no connection to the broker")


@contextmanager
def line(folder: Path, *options: str) -> Iterator[Line]:
    with (
        Mosquitto(folder) as broker,
        Plant(broker.port, TOPICS) as plant,
        Proxy(broker.port) as proxy,
        StationProcess(folder, "--port", str(proxy.port), *options) as station,
    ):
        wait_until(lambda: len(plant.durable()) >= 10)
        yield Line(station, plant, proxy)


@pytest.mark.parametrize("fault", ["reset", Weather.HALF_OPEN])
def test_a_fault_of_the_network_costs_no_message(fault: str, tmp_path: Path) -> None:
    with line(tmp_path, "--rate", "500") as it:
        inflict(fault, it.proxy)
        it.await_notice()
        it.proxy.weather = Weather.FAIR
        it.await_recovery()
        it.plant.await_more(100)
        verdict = it.plant.hear_out(it.station)
    assert verdict.content, verdict


def test_a_slow_network_is_no_fault(tmp_path: Path) -> None:
    with line(tmp_path, "--rate", "50") as it:
        it.proxy.delay_s = 0.1
        it.plant.await_more(100)
        assert it.complaints == 0
        it.proxy.delay_s = 0.0
        verdict = it.plant.hear_out(it.station)
    assert verdict.content, verdict
    assert verdict.duplicates == 0


@pytest.mark.slow
@pytest.mark.parametrize("load", ["busy", "idle"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_noticed_and_survived_in_time(fault: str, load: str, tmp_path: Path) -> None:
    some = ("--count", "20") if load == "idle" else ("--rate", "200")
    with line(tmp_path, "--patient", *some) as it:
        time.sleep(1.0)
        inflict(fault, it.proxy)
        noticed_s = it.await_notice()
        it.proxy.weather = Weather.FAIR
        recovered_s = it.await_recovery()
        verdict = it.plant.hear_out(it.station)
    print(f"{fault}, {load}: noticed {noticed_s:.1f} s, back {recovered_s:.1f} s: {verdict}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert verdict.content, verdict
    assert noticed_s <= 2 * KEEPALIVE_S + 1.0
    assert recovered_s <= RECOVERED_S
