"""Receives cameras' messages by ZeroMQ and puts them into the backlog.

The daemon binds PULL sockets, cameras connect with PUSH. A socket whose message finds no room isn't
read any more: ZeroMQ's own small buffers fill up and the camera feels it, counts what it drops, and
the jump of its frame numbers books those rows as not inspected. Nothing here grows.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

import zmq

from edge_daemon.clock import Clock
from edge_daemon.errors import EndpointError
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.endpoint import PullSocket, bind_pull
from edge_daemon.outcomes import Message

_POLL_MS = 200
_HELD_POLL_MS = 2
_PUT_S = 0.2
_AT_ONCE = 16
_JOIN_S = 5.0
_PARTS_KEPT = 8


class Receiver:
    """Owns the sockets and the thread that reads them.

    Args:
        endpoints: where to bind, `tcp://...` or `ipc://...`.
        backlog: where messages go; what it has no room for stays in ZeroMQ's buffers.
        clock: stamps arrivals.
        beat: called at every turn, at least every 0.5 s.
        max_payload_bytes: a peer that sends a longer part is disconnected.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        backlog: Backlog,
        *,
        clock: Clock,
        beat: Callable[[], None],
        max_payload_bytes: int,
    ) -> None:
        self._endpoints = endpoints
        self._backlog = backlog
        self._clock = clock
        self._beat = beat
        self._max_payload_bytes = max_payload_bytes
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="receiver", daemon=True)
        self._sockets: list[PullSocket] = []
        self._exits = ExitStack()
        self.failure: BaseException | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Where the sockets are bound, with the port that was found for `*`."""
        return tuple(s.getsockopt_string(zmq.LAST_ENDPOINT) for s in self._sockets)

    def __enter__(self) -> Self:
        """Bind and start to receive.

        Raises:
            EndpointError: an endpoint can't be bound.
        """
        with ExitStack() as exits:
            for endpoint in self._endpoints:
                self._sockets.append(exits.enter_context(self._bind(endpoint)))
            self._exits = exits.pop_all()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop receiving and close the sockets; what the cameras still hold stays with them."""
        self.stop()
        self._thread.join(_JOIN_S)
        self._exits.close()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Receive no more."""
        self._stopping.set()

    def join(self) -> None:
        """Wait until the thread has put its last message."""
        self._thread.join(_JOIN_S)

    @contextmanager
    def _bind(self, endpoint: str) -> Iterator[PullSocket]:
        try:
            with bind_pull(endpoint, max_part_bytes=self._max_payload_bytes) as socket:
                yield socket
        except EndpointError as error:
            raise EndpointError(f"[ingest] bind: {error}") from error

    def _receive(self) -> None:
        poller = zmq.Poller()
        for socket in self._sockets:
            poller.register(socket, zmq.POLLIN)
        held: dict[PullSocket, Message] = {}
        try:
            while not self._stopping.is_set():
                self._beat()
                self._offer_again(held, poller)
                for socket, _ in poller.poll(_HELD_POLL_MS if held else _POLL_MS):
                    self._drain(socket, held, poller)
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: main reports it
            self.failure = failure
        finally:
            self._backlog.close()

    def _drain(
        self, socket: PullSocket, held: dict[PullSocket, Message], poller: zmq.Poller
    ) -> None:
        """Read what has come; a socket whose message finds no room isn't read until it does."""
        for _ in range(_AT_ONCE):
            try:
                message = _read(socket, self._clock)
            except zmq.Again:
                return
            if not self._backlog.offer(message):
                held[socket] = message
                poller.unregister(socket)
                return

    def _offer_again(self, held: dict[PullSocket, Message], poller: zmq.Poller) -> None:
        # With a single socket there is nothing else to do than to wait for room.
        wait_s = _PUT_S if len(self._sockets) == 1 else 0.0
        for socket, message in list(held.items()):
            if self._backlog.offer(message, timeout_s=wait_s):
                del held[socket]
                poller.register(socket, zmq.POLLIN)


def _read(socket: PullSocket, clock: Clock) -> Message:
    """Take one message off a socket without copying its payload.

    Of a message with too many parts only the first few are kept: enough to refuse it by.

    Raises:
        zmq.Again: nothing has come.
    """
    parts = [socket.recv(zmq.NOBLOCK, copy=False)]
    while parts[-1].more:
        part = socket.recv(copy=False)
        if len(parts) < _PARTS_KEPT:
            parts.append(part)
        else:
            parts[-1] = part
    return Message([p.buffer for p in parts], clock.now_ns(), clock.monotonic_ns())
