"""A broker that misbehaves on demand: just enough MQTT 5, on real sockets, in a few packets.

`FakeBroker.answer` decides about each PUBLISH; the functions below make the answers. The broker
keeps what a judge wants to know: each PUBLISH, how many were without an answer at most, and what
it confirmed with success.
"""

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any, Final, Self, TypeAlias

TAKEN_OVER: Final = 0x8E
SUCCESS: Final = 0x00
_FAILURE: Final = 0x80
_ANSWER: Final = struct.Struct(">BBHBB")


@dataclass(frozen=True)
class Published:
    """A PUBLISH as the fake broker got it; `connection` counts from 1."""

    topic: str
    message: dict[str, Any]
    mid: int | None
    retain: bool
    connection: int


Answer: TypeAlias = Callable[[Published], bytes]


def puback(published: Published, code: int = SUCCESS) -> bytes:
    assert published.mid is not None
    return _ANSWER.pack(0x40, 4, published.mid, code, 0)


def silence(_published: Published) -> bytes:
    """Never confirm."""
    return b""


def disconnect(code: int) -> bytes:
    return bytes([0xE0, 2, code, 0])


MALFORMED: Final = {
    "a packet of no kind": b"\xf7\x03abc",
    "a length that never ends": b"\x40\xff\xff\xff\xff\xff\xff",
    "an answer cut short": b"\x40\x01\x00",
    "an answer to a message that was never sent": b"\x40\x04\xfe\xfe\x00\x00",
    "a second welcome": b"\x20\x03\x00\x00\x00",
    "zeros": b"\x00" * 16,
    "text": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
"""What a broker should never send, by what is wrong with it."""


class FakeBroker:
    """Accepts connections and answers each PUBLISH as a test wishes.

    `answer` returns the bytes to send; b"" is silence, and after a DISCONNECT the door shuts.
    """

    def __init__(self) -> None:
        self.receive_maximum = 65535
        self.packet_maximum = 1 << 20
        self.answer: Answer = puback
        self.published: list[Published] = []
        self.confirmed: list[Published] = []
        self.goodbyes: list[int] = []
        self.connections = 0
        self.most_in_flight = 0
        self._in_flight: dict[int, set[int]] = {}
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets: list[socket.socket] = []
        self._clients: dict[str, socket.socket] = {}

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for taken in self._sockets:
            _shut(taken)
            taken.close()
        for thread in self._threads:
            thread.join()

    def send(self, packet: bytes) -> None:
        """Send over the newest connection."""
        self._sockets[-1].sendall(packet)

    def confirm(self, published: Published) -> None:
        """Answer later what was met with silence."""
        self._note_answer(published, puback(published))
        self._sockets[published.connection - 1].sendall(puback(published))

    def durable(self) -> list[Published]:
        return [p for p in list(self.published) if "/event/" in p.topic]

    def delivered(self) -> list[dict[str, Any]]:
        """What counts in the sequence and was confirmed with success: what a subscriber gets."""
        return [p.message for p in list(self.confirmed) if "/event/" in p.topic]

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
                if kind & 0xF0 == 0x10:
                    self._take_over(_client_id(body), taken)
                reply = self._reply(kind, body, connection)
                taken.sendall(reply)
                if reply[:1] == b"\xe0":
                    _hang_up(taken, stream)
                    return

    def _take_over(self, client_id: str, taken: socket.socket) -> None:
        former = self._clients.get(client_id)
        self._clients[client_id] = taken
        if former is not None:
            with contextlib.suppress(OSError):
                former.sendall(disconnect(TAKEN_OVER))
                former.shutdown(socket.SHUT_RDWR)

    def _reply(self, kind: int, body: bytes, connection: int) -> bytes:
        match kind & 0xF0:
            case 0x10:
                properties = struct.pack(">BH", 0x21, self.receive_maximum)
                properties += struct.pack(">BI", 0x27, self.packet_maximum)
                rest = bytes([0, 0, len(properties)]) + properties
                return bytes([0x20, len(rest)]) + rest
            case 0x30:
                return self._take(_published(kind, body, connection))
            case 0xC0:
                return b"\xd0\x00"
            case 0xE0:
                self.goodbyes.append(body[0] if body else 0)
                raise EOFError
            case _:
                raise AssertionError(f"unexpected packet {kind:#x}")

    def _take(self, published: Published) -> bytes:
        self.published.append(published)
        if published.mid is None:
            return b""
        flying = self._in_flight.setdefault(published.connection, set())
        flying.add(published.mid)
        self.most_in_flight = max(self.most_in_flight, len(flying))
        answer = self.answer(published)
        self._note_answer(published, answer)
        return answer

    def _note_answer(self, published: Published, answer: bytes) -> None:
        if len(answer) != _ANSWER.size or answer[0] != 0x40:
            return
        _, _, mid, code, _ = _ANSWER.unpack(answer)
        if mid == published.mid:
            self._in_flight[published.connection].discard(mid)
            if code < _FAILURE:
                self.confirmed.append(published)


def _hang_up(taken: socket.socket, stream: IO[bytes]) -> None:
    """Take nothing more; a reset could overtake the farewell."""
    taken.shutdown(socket.SHUT_WR)
    while stream.read(1):
        pass


def _shut(taken: socket.socket) -> None:
    with contextlib.suppress(OSError):
        taken.shutdown(socket.SHUT_RDWR)


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


def _text(body: bytes) -> tuple[str, bytes]:
    (length,) = struct.unpack(">H", body[:2])
    return body[2 : 2 + length].decode(), body[2 + length :]


def _client_id(connect: bytes) -> str:
    """Read it behind protocol name, version, flags, keep-alive and properties (below 128 bytes)."""
    _, rest = _text(connect)
    return _text(rest[5 + rest[4] :])[0]


def _published(kind: int, body: bytes, connection: int) -> Published:
    topic, rest = _text(body)
    mid = None
    if kind & 0x06:
        (mid,) = struct.unpack(">H", rest[:2])
        rest = rest[2:]
    payload = rest[1 + rest[0] :]
    return Published(topic, json.loads(payload), mid, bool(kind & 1), connection)
