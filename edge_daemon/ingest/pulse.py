"""Whether libzmq's I/O thread is at work: a byte goes through it and has to come back.

All that cameras send goes through a thread of libzmq's own. Where it hangs, a socket looks as it
does while no camera sends; so the receiver sends itself a byte about once a second, and misses it.
"""

import os
import secrets
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Final, Self, TypeAlias

import zmq

from edge_daemon.clock import Clock

Socket: TypeAlias = "zmq.Socket[bytes]"

_EVERY_NS: Final = 1_000_000_000
_BEAT: Final = b"\1"
_MAX_PART_BYTES: Final = 256
"""What ZeroMQ's own handshake needs; a beat is a byte."""


class Pulse:
    """Two sockets of one context that are connected by way of its I/O thread.

    ipc, for inproc goes round that thread. The address is of Linux's abstract kind, which leaves
    no file and has no rights of its own: it is a random one, and lets in this process alone.

    Args:
        context: whose I/O thread is felt; it has one.
        clock: monotonic time.
        missed_after_s: so long a byte may be on its way.
    """

    def __init__(
        self, context: "zmq.Context[Socket]", clock: Clock, *, missed_after_s: float = 10.0
    ) -> None:
        self._context = context
        self._clock = clock
        self._missed_after_s = missed_after_s
        self._sent_ns = self._felt_ns = clock.monotonic_ns()
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        """Connect, and begin to wait."""
        with ExitStack() as exits:
            self._back = exits.enter_context(self._context.socket(zmq.PULL))
            self._out = exits.enter_context(self._context.socket(zmq.PUSH))
            for end in (self._back, self._out):
                end.setsockopt(zmq.LINGER, 0)
                end.setsockopt(zmq.SNDHWM, 1)
                end.setsockopt(zmq.RCVHWM, 1)
            self._back.setsockopt(zmq.MAXMSGSIZE, _MAX_PART_BYTES)
            self._back.setsockopt(zmq.IPC_FILTER_PID, os.getpid())
            address = f"ipc://@edge-daemon-{secrets.token_hex(16)}"
            self._back.bind(address)
            self._out.connect(address)
            self._exits = exits.pop_all()
        self._felt_ns = self._clock.monotonic_ns()
        self._send()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close both ends, so that the context can end."""
        self._exits.close()

    def complaint(self) -> str | None:
        """What is wrong, None while bytes come back; to be called often, at least once a second."""
        now_ns = self._clock.monotonic_ns()
        if now_ns - self._sent_ns >= _EVERY_NS:
            self._take()
            self._send()
        if now_ns - self._felt_ns <= self._missed_after_s * 1e9:
            return None
        return (
            f"ZeroMQ's I/O thread has passed on nothing for {self._missed_after_s:g} s: "
            "no camera is heard"
        )

    def _take(self) -> None:
        with suppress(zmq.Again):
            while True:
                if self._back.recv(zmq.NOBLOCK) == _BEAT:
                    self._felt_ns = self._clock.monotonic_ns()

    def _send(self) -> None:
        self._sent_ns = self._clock.monotonic_ns()
        with suppress(zmq.Again):  # the last ones are still on their way
            self._out.send(_BEAT, zmq.NOBLOCK)
