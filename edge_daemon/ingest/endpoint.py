"""The two ends of the wire: a PUSH that plays the camera, a PULL that the daemon or recorder binds.

The daemon binds, cameras connect. Both ends hold a few messages and no more: a daemon that doesn't
keep up is felt by the camera, which then drops and counts.
"""

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias

import zmq

from edge_daemon.errors import EndpointError
from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.keys import Login

PushSocket: TypeAlias = "zmq.Socket[bytes]"
PullSocket: TypeAlias = "zmq.Socket[bytes]"

SEND_HIGH_WATER = 4
RECEIVE_HIGH_WATER = 8
_RECONNECT_MS, _RECONNECT_MAX_MS = 100, 2000
_KEEPALIVE_AFTER_S, _KEEPALIVE_EVERY_S, _KEEPALIVE_TRIES = 10, 5, 3
_PROBE_S = 1.0
_IPC, _ABSTRACT = "ipc://", "ipc://@"
_IPC_MODE = 0o660
_REMEDIES = {
    errno.EADDRINUSE: "stop the daemon or recorder that is bound to it, or take another one",
    errno.EADDRNOTAVAIL: "take an address of this computer's",
    errno.ENODEV: "take an address of this computer's",
    errno.ENOENT: "make its folder",
    errno.EACCES: "let this user write to its folder, or take a port above 1023",
    errno.ENAMETOOLONG: "a path has 107 characters at most",
}


@contextmanager
def connect_push(
    address: str, *, linger_ms: int, login: Login | None = None
) -> Iterator[PushSocket]:
    """Open the camera's end; what is still queued when it is closed has `linger_ms` to get out.

    Args:
        address: where the daemon listens.
        linger_ms: how long frames that are still queued hold up the end.
        login: keys, for a tcp endpoint that asks for them.

    Raises:
        EndpointError: it is no address, or keys were given for one that takes none.
    """
    if login is not None and address.startswith(_IPC):
        raise EndpointError(f"{address} takes no keys: leave them out, or connect by tcp")
    with zmq.Context() as context, context.socket(zmq.PUSH) as push:
        push.setsockopt(zmq.SNDHWM, SEND_HIGH_WATER)
        # Without it frames pile up for a daemon that isn't there, and come late instead of not.
        push.setsockopt(zmq.IMMEDIATE, 1)
        push.setsockopt(zmq.LINGER, linger_ms)
        push.setsockopt(zmq.RECONNECT_IVL, _RECONNECT_MS)
        push.setsockopt(zmq.RECONNECT_IVL_MAX, _RECONNECT_MAX_MS)
        _watch_peer(push)
        if login is not None:
            push.setsockopt_string(zmq.CURVE_SERVERKEY, login.daemon)
            push.setsockopt_string(zmq.CURVE_PUBLICKEY, login.own.public)
            push.setsockopt_string(zmq.CURVE_SECRETKEY, login.own.secret)
        try:
            push.connect(address)
        except zmq.ZMQError as error:
            raise _refusal(address, error.errno) from error
        yield push


@contextmanager
def bind_pull(
    address: str, *, max_part_bytes: int, door: Doorkeeper | None = None
) -> Iterator[PullSocket]:
    """Open the daemon's end; who sends a longer part is disconnected.

    Args:
        address: where to listen. The file of an ipc address is for its owner and group.
        max_part_bytes: of each part of a message.
        door: decides who gets in; without one everybody does who reaches the address.

    Raises:
        EndpointError: it is no address, or it is taken.
    """
    if address.startswith(_ABSTRACT):
        raise EndpointError(
            f"{address} would be open to every user of this computer: name a file, ipc:///PATH"
        )
    if _is_listened_on(address):
        raise _refusal(address, errno.EADDRINUSE)
    with ExitStack() as exits:
        context = exits.enter_context(zmq.Context()) if door is None else door.context
        pull = exits.enter_context(context.socket(zmq.PULL))
        pull.setsockopt(zmq.RCVHWM, RECEIVE_HIGH_WATER)
        pull.setsockopt(zmq.MAXMSGSIZE, max_part_bytes)
        pull.setsockopt(zmq.LINGER, 0)
        _watch_peer(pull)
        if door is not None:
            exits.enter_context(door.guard(pull, locked=not address.startswith(_IPC)))
        try:
            pull.bind(address)
        except zmq.ZMQError as error:
            raise _refusal(address, error.errno) from error
        _close_to_others(pull)
        yield pull


def _close_to_others(pull: PullSocket) -> None:
    """Take the file of an ipc address from all but its owner and group, whatever the umask."""
    bound = pull.getsockopt_string(zmq.LAST_ENDPOINT)
    if bound.startswith(_IPC):
        Path(bound.removeprefix(_IPC)).chmod(_IPC_MODE)


def _watch_peer(end: "zmq.Socket[bytes]") -> None:
    """Find out that the other end is gone though it said no goodbye.

    TCP's keep-alive does, not ZeroMQ's heartbeats: a beat, or the answer to one, that goes to a
    camera which has left in order is answered by a reset, and with that the kernel throws away the
    camera's last frames that nobody has read yet.
    """
    end.setsockopt(zmq.TCP_KEEPALIVE, 1)
    end.setsockopt(zmq.TCP_KEEPALIVE_IDLE, _KEEPALIVE_AFTER_S)
    end.setsockopt(zmq.TCP_KEEPALIVE_INTVL, _KEEPALIVE_EVERY_S)
    end.setsockopt(zmq.TCP_KEEPALIVE_CNT, _KEEPALIVE_TRIES)


def _is_listened_on(address: str) -> bool:
    """Whether somebody listens on the file of an ipc address.

    ZeroMQ doesn't ask: it deletes the file and puts its own there, and the daemon that was bound to
    it would never get a frame again.
    """
    if not address.startswith(_IPC):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        try:
            probe.connect(address.removeprefix(_IPC))
        except (TimeoutError, PermissionError):
            return True
        except OSError:
            return False
    return True


def _refusal(address: str, number: int | None) -> EndpointError:
    number = number or errno.EINVAL
    remedy = _REMEDIES.get(number, "write it as tcp://HOST:PORT or ipc:///PATH")
    return EndpointError(f"{address} can't be used ({zmq.strerror(number)}): {remedy}")
