"""A TCP proxy that does to a connection what networks do.

One `Proxy` stands between a client and a server on loopback. Faults are switched while it runs and
hold for the connections that are open as well as for new ones.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

_CHUNK_BYTES = 1 << 16
_LOOK_S = 0.02
_LINGER_RESET = struct.pack("ii", 1, 0)


class Weather(StrEnum):
    """What happens to what is sent.

    `BLACK_HOLE`: the cable is out. Nothing gets through either way, nothing is refused; what was
    sent meanwhile arrives when the weather is fair again, as TCP sends it again. (A new connection
    is taken, which a real black hole wouldn't do, and hears nothing.)
    `HALF_OPEN`: the server's box is gone and something between still acknowledges. What is sent is
    lost for good, and so is the connection: it is reset once the weather is fair.
    `TRICKLE`: a byte a second each way.
    """

    FAIR = "fair"
    BLACK_HOLE = "black_hole"
    HALF_OPEN = "half_open"
    TRICKLE = "trickle"


@dataclass
class _Connection:
    client: socket.socket
    server: socket.socket
    has_lost: bool = False

    def close(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def reset(self) -> None:
        for end in (self.client, self.server):
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
            end.close()


class Proxy:
    """Listens on a free port of loopback and passes on to `port`.

    Attributes:
        port: where to connect to.
        connections: how many clients have come.
        weather: what holds now; set it at any time.
        delay_s: each way, before a piece is passed on.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.weather = Weather.FAIR
        self.delay_s = 0.0
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: list[_Connection] = []
        self._lock = threading.Lock()  # guards _open, which every thread here changes
        self._is_shut = False
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join()

    @property
    def url(self) -> str:
        """The proxy in a broker's place."""
        return f"mqtt://127.0.0.1:{self.port}"

    @contextmanager
    def shut(self) -> Iterator[None]:
        """Let nobody through for as long as the block lasts."""
        self._is_shut = True
        self.drop()
        try:
            yield
        finally:
            self._is_shut = False

    def drop(self) -> None:
        """Close every connection in order."""
        for connection in self._take_all():
            connection.close()

    def reset(self) -> None:
        """Cut every connection with RST, as a rebooted box or a stateful firewall does."""
        for connection in self._take_all():
            connection.reset()

    def _take_all(self) -> list[_Connection]:
        with self._lock:
            taken, self._open = self._open, []
        return taken

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._is_shut:
                client.close()
                continue
            self.connections += 1
            try:
                server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.settimeout(_LOOK_S)
            connection = _Connection(client, server)
            with self._lock:
                self._open.append(connection)
            self._start(connection, client, server)
            self._start(connection, server, client)

    def _start(self, connection: _Connection, source: socket.socket, to: socket.socket) -> None:
        thread = threading.Thread(target=self._pass_on, args=(connection, source, to))
        self._threads.append(thread)
        thread.start()

    def _pass_on(self, connection: _Connection, source: socket.socket, to: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):  # the other side is gone, or both are
            while not self._stopping.is_set():
                try:
                    # A byte at a time is read too, or a full buffer would hide how slow it is.
                    piece = source.recv(1 if self.weather is Weather.TRICKLE else _CHUNK_BYTES)
                except TimeoutError:
                    continue
                if not piece:
                    break
                while self.weather is Weather.BLACK_HOLE and not self._stopping.wait(_LOOK_S):
                    pass
                if self.weather is Weather.HALF_OPEN:
                    connection.has_lost = True
                elif connection.has_lost:
                    connection.reset()
                    return
                else:
                    self._slow_down()
                    to.sendall(piece)
        connection.close()

    def _slow_down(self) -> None:
        if self.weather is Weather.TRICKLE:
            self._stopping.wait(1.0)
        elif self.delay_s:
            time.sleep(self.delay_s)
