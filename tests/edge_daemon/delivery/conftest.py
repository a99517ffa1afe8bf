"""A station to test with: an observer that remembers, and a broker that misbehaves on demand."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import HealthReport, StatusReport
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Courier
from edge_daemon.delivery.patience import Patience
from tests.faults.fake_broker import FakeBroker

ROOT = "edge/test"
STATUS = StatusReport(online=True, state="running", version="1", bundle="b", started_at=iso_utc(0))
HEALTH = HealthReport(
    uptime_s=1.0,
    frames_received=2,
    frames_rejected=0,
    lines_inspected=512,
    lines_not_inspected=0,
    outbox_depth=0,
    cameras=1,
    inspecting=True,
)
HASTE = Patience(ack_deadline_s=1.0, reconnect_s=(0.05, 0.1), refused_s=(0.2, 0.2), health_s=0.2)


class Watcher:
    """Keeps what the courier's observer is told."""

    def __init__(self) -> None:
        self.depth = -1
        self.connections: list[bool] = []
        self.latencies_s: list[float | None] = []
        self.unrouted = 0
        self.buried: list[tuple[str, str]] = []

    def depth_changed(self, depth: int, oldest_ns: int | None) -> None:
        assert (depth == 0) == (oldest_ns is None)
        self.depth = depth

    def connection_changed(self, *, connected: bool) -> None:
        self.connections.append(connected)

    def confirmed(self, latency_s: float | None, *, unrouted: bool) -> None:
        self.latencies_s.append(latency_s)
        self.unrouted += unrouted

    def dead(self, topic: str, reason: str) -> None:
        self.buried.append((topic, reason))


@dataclass
class Station:
    """Makes couriers that share one outbox, one after the other."""

    path: Path
    watcher: Watcher

    def courier(
        self,
        port: int | None,
        *,
        patience: Patience = HASTE,
        beat: Callable[[], None] = lambda: None,
        on_announced: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        max_bytes: int = 1 << 24,
    ) -> Courier:
        broker = None if port is None else Broker.from_url(f"mqtt://127.0.0.1:{port}", ROOT)
        return Courier(
            self.path,
            STATUS,
            health=lambda: HEALTH,
            broker=broker,
            clock=SystemClock(),
            observer=self.watcher,
            on_announced=on_announced,
            beat=beat,
            patience=patience,
            max_bytes=max_bytes,
        )


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path / "outbox.sqlite3", Watcher())


@pytest.fixture
def fake_broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker
