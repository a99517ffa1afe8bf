"""Receives cameras' messages by ZeroMQ, judges who sent them, and puts them into the backlog.

The daemon binds PULL sockets, cameras connect with PUSH. A socket whose message finds no room isn't
read any more: ZeroMQ's own small buffers fill up and the camera feels it, counts what it drops, and
the jump of its frame numbers books those rows as not inspected. Nothing here grows.
"""

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import zmq

from edge_daemon.clock import Clock
from edge_daemon.errors import EndpointError
from edge_daemon.ingest.admission import Admission
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.endpoint import PullSocket, bind_pull
from edge_daemon.ingest.memory_limit import MemoryLimit
from edge_daemon.ingest.pulse import Pulse
from edge_daemon.outcomes import Message

_IPC = "ipc://"
_POLL_MS = 200
_HELD_POLL_MS = 2
_PUT_S = 0.2
_AT_ONCE = 16
_JOIN_S = 5.0
_PARTS_KEPT = 8
_HARD_LIMIT = 2
"""Up to so many times the allowed payload is still read, so that its rows can be booked."""


class Receiver:
    """Owns the sockets and the thread that reads them.

    Args:
        endpoints: where to bind, `tcp://...` or `ipc://...`.
        backlog: where messages go; what it has no room for stays in ZeroMQ's buffers.
        clock: stamps arrivals.
        beat: called at every turn, at least every 0.5 s, while what is sent can come.
        stand_still: called in its place, with the reason, while nothing can.
        max_payload_bytes: a longer payload is left out; a peer that sends a part of more than twice
            that is disconnected.
        max_frames_per_s: of each camera; more are left out.
        most_cameras: so many are told apart by that.
        door: decides who gets in, and as whom; without one everybody does.
        memory: what the process may hold; without one it may grow as long as it can.
    """

    def __init__(
        self,
        endpoints: Sequence[str],
        backlog: Backlog,
        *,
        clock: Clock,
        beat: Callable[[], None],
        stand_still: Callable[[str], None] = lambda _reason: None,
        max_payload_bytes: int,
        max_frames_per_s: float = math.inf,
        most_cameras: int = 64,
        door: Doorkeeper | None = None,
        memory: MemoryLimit | None = None,
    ) -> None:
        self._endpoints = endpoints
        self._backlog = backlog
        self._clock = clock
        self._beat = beat
        self._stand_still = stand_still
        self._max_part_bytes = _HARD_LIMIT * max_payload_bytes
        self._door = door
        self._memory = memory
        self._admission = Admission(
            max_payload_bytes=max_payload_bytes,
            keyed=frozenset() if door is None else door.keyed,
            max_frames_per_s=max_frames_per_s,
            most_cameras=most_cameras,
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._receive, name="receiver", daemon=True)
        self._sockets: list[PullSocket] = []
        self._pulses: list[Pulse] = []
        self._files: list[Path] = []
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
            if self._memory is not None:
                exits.enter_context(self._memory)
            for endpoint in self._endpoints:
                self._sockets.append(exits.enter_context(self._bind(endpoint)))
            for context in {socket.context for socket in self._sockets}:
                self._pulses.append(exits.enter_context(Pulse(context, self._clock)))
            self._exits = exits.pop_all()
        paths = [address.removeprefix(_IPC) for address in self.addresses if _IPC in address]
        self._files = [Path(path) for path in paths if not path.startswith("@")]
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
            with bind_pull(
                endpoint, max_part_bytes=self._max_part_bytes, door=self._door
            ) as socket:
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
                self._show_life()
                self._check_surroundings()
                self._offer_again(held, poller)
                for socket, _ in poller.poll(_HELD_POLL_MS if held else _POLL_MS):
                    self._drain(socket, held, poller)
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: main reports it
            self.failure = failure
        finally:
            self._backlog.close()

    def _show_life(self) -> None:
        complaints = [pulse.complaint() for pulse in self._pulses]
        reason = next((each for each in complaints if each is not None), None)
        if reason is None:
            self._beat()
        else:
            self._stand_still(reason)

    def _check_surroundings(self) -> None:
        """Fail where no camera could come back any more, or for want of memory.

        Raises:
            EndpointError: the file of an ipc endpoint was deleted; the next start makes it anew.
        """
        for file in self._files:
            if not file.exists():
                raise EndpointError(
                    f"{file} was deleted, so no camera can connect: keep whatever tidies up away "
                    "from it (systemd's RuntimeDirectory= is a safe place)"
                )
        if self._door is not None and self._door.failure is not None:
            raise self._door.failure
        if self._memory is not None:
            self._memory.check(self._clock.monotonic_ns())

    def _drain(
        self, socket: PullSocket, held: dict[PullSocket, Message], poller: zmq.Poller
    ) -> None:
        """Read what has come; a socket whose message finds no room isn't read until it does."""
        for _ in range(_AT_ONCE):
            try:
                message = self._read(socket)
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

    def _read(self, socket: PullSocket) -> Message:
        """Take one message off a socket without copying its payload, and judge it.

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
        message = Message(
            [part.buffer for part in parts], self._clock.now_ns(), self._clock.monotonic_ns()
        )
        owner = None if self._door is None else self._door.sender_of(parts[0], socket)
        return self._admission.judge(message, owner)
