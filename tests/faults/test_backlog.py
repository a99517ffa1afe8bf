"""The broker is away for as long as 10,000 alerts; memory doesn't grow, and all come in order."""

from pathlib import Path

import pytest

from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.plant import Plant
from tests.faults.station import TOPICS, StationProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300), needs_mosquitto]
ALERTS, SETTLED = 10_000, 2_000
GROWTH_MIB = 4.0
"""Room for caches; it is no part of the messages, and doesn't grow with them."""


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def test_ten_thousand_alerts_wait_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    keeping = ("persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0")
    with Mosquitto(tmp_path, *keeping) as broker, Plant(broker.port, TOPICS) as plant:
        broker.stop()
        options = ("--port", str(broker.port), "--rate", "5000", "--count", str(ALERTS))
        with StationProcess(tmp_path, *options) as station:
            wait_until(lambda: station.announced >= SETTLED)
            before_mib = resident_mib(station.pid)
            wait_until(lambda: station.announced >= ALERTS)
            after_mib = resident_mib(station.pid)
            assert plant.durable() == []
            broker.start()
            wait_until(lambda: len(plant.durable()) >= ALERTS)
            drained_mib = resident_mib(station.pid)
            assert station.stop() == 0
            verdict = plant.judge(station.testimony())
    print(f"{verdict}; {before_mib:.1f} MiB, {after_mib:.1f}, drained {drained_mib:.1f}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert verdict.content, verdict
    assert verdict.delivered == ALERTS
    assert after_mib - before_mib < GROWTH_MIB
    assert drained_mib - before_mib < 2 * GROWTH_MIB
