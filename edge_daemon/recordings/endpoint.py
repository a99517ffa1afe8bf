"""The two ends of the wire: a PUSH that plays the camera, a PULL that stands in for the daemon."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeAlias

import zmq

from edge_daemon.errors import EdgeDaemonError

PushSocket: TypeAlias = "zmq.Socket[bytes]"
PullSocket: TypeAlias = "zmq.Socket[bytes]"

SEND_HIGH_WATER = 4
RECEIVE_HIGH_WATER = 8
_HEARTBEAT_MS, _HEARTBEAT_TIMEOUT_MS = 1000, 3000
_RECONNECT_MS, _RECONNECT_MAX_MS = 100, 2000


class EndpointError(EdgeDaemonError):
    """An address is none, is taken, or nobody is there."""


@contextmanager
def connect_push(address: str, *, linger_ms: int) -> Iterator[PushSocket]:
    """Open the camera's end; what is still queued when it is closed has `linger_ms` to get out.

    Raises:
        EndpointError: it is no address.
    """
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.SNDHWM, SEND_HIGH_WATER)
        # Without it frames pile up for a daemon that isn't there, and come late instead of not.
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.setsockopt(zmq.LINGER, linger_ms)
        socket.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS)
        socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        try:
            socket.connect(address)
        except zmq.ZMQError as error:
            raise EndpointError(_wrong_address(address, error)) from error
        yield socket


@contextmanager
def bind_pull(address: str, *, max_part_bytes: int) -> Iterator[PullSocket]:
    """Open the daemon's end; who sends a longer part is disconnected.

    Raises:
        EndpointError: it is no address, or it is taken.
    """
    with zmq.Context() as context, context.socket(zmq.PULL) as socket:
        socket.setsockopt(zmq.RCVHWM, RECEIVE_HIGH_WATER)
        socket.setsockopt(zmq.MAXMSGSIZE, max_part_bytes)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        try:
            socket.bind(address)
        except zmq.ZMQError as error:
            raise EndpointError(_wrong_address(address, error)) from error
        yield socket


def _wrong_address(address: str, error: zmq.ZMQError) -> str:
    remedy = "write it as tcp://HOST:PORT or ipc:///PATH"
    if error.errno == zmq.EADDRINUSE:
        remedy = "stop the daemon or recorder that is bound to it, or take another port"
    return f"{address} can't be used ({error.strerror}): {remedy}"


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give a flag that SIGINT and SIGTERM set; their handlers are put back afterwards.

    Only the main thread may use it.
    """
    stop = threading.Event()

    def set_flag(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, set_flag) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
