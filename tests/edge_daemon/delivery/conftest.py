"""A station to test with: an observer that remembers, and a broker that misbehaves on demand."""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import CoverageEvent, HealthReport, StatusReport
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Courier
from edge_daemon.delivery.patience import Patience

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


@dataclass(frozen=True)
class Published:
    """A PUBLISH as the fake broker got it; `connection` counts from 1."""

    topic: str
    message: dict[str, Any]
    mid: int | None
    retain: bool
    connection: int


def puback(published: Published, code: int = 0) -> bytes:
    assert published.mid is not None
    return struct.pack(">BBHBB", 0x40, 4, published.mid, code, 0)


def disconnect(code: int) -> bytes:
    return bytes([0xE0, 2, code, 0])


class FakeBroker:
    """Just enough MQTT 5 to accept a connection and to answer each PUBLISH as a test wishes.

    `answer` returns the bytes to send; b"" is silence, and after a DISCONNECT the door shuts.
    """

    def __init__(self) -> None:
        self.receive_maximum = 65535
        self.packet_maximum = 1 << 20
        self.answer: Callable[[Published], bytes] = puback
        self.published: list[Published] = []
        self.goodbyes: list[int] = []
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for taken in self._sockets:
            with contextlib.suppress(OSError):
                taken.shutdown(socket.SHUT_RDWR)
            taken.close()
        for thread in self._threads:
            thread.join()

    def send(self, packet: bytes) -> None:
        """Send over the newest connection."""
        self._sockets[-1].sendall(packet)

    def durable(self) -> list[Published]:
        return [p for p in list(self.published) if "/event/" in p.topic]

    def seqs(self, connection: int | None = None) -> list[int]:
        return [
            p.message["seq"]
            for p in self.durable()
            if connection is None or p.connection == connection
        ]

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._sockets.append(taken)
            thread = threading.Thread(target=self._serve, args=(taken, self.connections))
            self._threads.append(thread)
            thread.start()

    def _serve(self, taken: socket.socket, connection: int) -> None:
        with contextlib.suppress(OSError, EOFError), taken.makefile("rb") as stream:
            while True:
                kind, body = _packet(stream)
                reply = self._reply(kind, body, connection)
                taken.sendall(reply)
                if reply[:1] == b"\xe0":
                    taken.shutdown(socket.SHUT_RDWR)

    def _reply(self, kind: int, body: bytes, connection: int) -> bytes:
        match kind & 0xF0:
            case 0x10:
                properties = struct.pack(">BH", 0x21, self.receive_maximum)
                properties += struct.pack(">BI", 0x27, self.packet_maximum)
                rest = bytes([0, 0, len(properties)]) + properties
                return bytes([0x20, len(rest)]) + rest
            case 0x30:
                published = _published(kind, body, connection)
                self.published.append(published)
                return b"" if published.mid is None else self.answer(published)
            case 0xC0:
                return b"\xd0\x00"
            case 0xE0:
                self.goodbyes.append(body[0] if body else 0)
                raise EOFError
            case _:
                raise AssertionError(f"unexpected packet {kind:#x}")


def _packet(stream: IO[bytes]) -> tuple[int, bytes]:
    first = stream.read(1)
    if not first:
        raise EOFError
    return first[0], stream.read(_varint(stream))


def _varint(stream: IO[bytes]) -> int:
    value = shift = 0
    while True:
        byte: int = stream.read(1)[0]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value


def _published(kind: int, body: bytes, connection: int) -> Published:
    (topic_bytes,) = struct.unpack(">H", body[:2])
    topic, rest = body[2 : 2 + topic_bytes].decode(), body[2 + topic_bytes :]
    mid = None
    if kind & 0x06:
        (mid,) = struct.unpack(">H", rest[:2])
        rest = rest[2:]
    payload = rest[1 + rest[0] :]
    return Published(topic, json.loads(payload), mid, bool(kind & 1), connection)


@dataclass(frozen=True)
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


def stretch(from_line: int = 0, coil: str | None = None) -> Announcement:
    return Announcement(
        CoverageEvent(
            camera="a",
            stream="s",
            coil=coil,
            reason="lost",
            from_line=from_line,
            to_line=from_line + 1,
            lines=1,
        )
    )


@pytest.fixture
def station(tmp_path: Path) -> Station:
    return Station(tmp_path / "outbox.sqlite3", Watcher())


@pytest.fixture
def fake_broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker
