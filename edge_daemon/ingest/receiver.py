"""Receives cameras' messages by ZeroMQ and puts them into a bounded queue.

The daemon binds PULL sockets, cameras connect with PUSH. When the queue is full nothing more is
read: ZeroMQ's own small buffers fill up and the camera feels it, counts what it drops, and the jump
of its frame numbers books those rows as not inspected. Nothing here grows.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Self

import zmq

from edge_daemon.clock import Clock
from edge_daemon.errors import EndpointError
from edge_daemon.ingest.endpoint import PullSocket, bind_pull
from edge_daemon.outcomes import Message

_POLL_MS = 200
_PUT_S = 0.2
_JOIN_S = 5.0
_PARTS_KEPT = 8


class Receiver:
    """Owns the sockets and the thread that reads them.

    Args:
        endpoints: where to bind, `tcp://...` or `ipc://...`.
        inbox: where messages go; its bound is the bound of what may wait.
        clock: stamps arrivals.
        beat: called at every turn, at least every 0.5 s.
        max_payload_bytes: a peer that sends a longer part is disconnected.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        inbox: "queue.Queue[Message]",
        *,
        clock: Clock,
        beat: Callable[[], None],
        max_payload_bytes: int,
    ) -> None:
        self._endpoints = endpoints
        self._inbox = inbox
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
        try:
            while not self._stopping.is_set():
                self._beat()
                for socket, _ in poller.poll(_POLL_MS):
                    self._put(_read(socket, self._clock))
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: main reports it
            self.failure = failure

    def _put(self, message: Message) -> None:
        while not self._stopping.is_set():
            try:
                self._inbox.put(message, timeout=_PUT_S)
            except queue.Full:
                self._beat()
            else:
                return


def _read(socket: PullSocket, clock: Clock) -> Message:
    """Take one message off a socket without copying its payload.

    Of a message with too many parts only the first few are kept: enough to refuse it by.
    """
    parts = [socket.recv(copy=False)]
    while parts[-1].more:
        part = socket.recv(copy=False)
        if len(parts) < _PARTS_KEPT:
            parts.append(part)
        else:
            parts[-1] = part
    return Message([p.buffer for p in parts], clock.now_ns(), clock.monotonic_ns())
