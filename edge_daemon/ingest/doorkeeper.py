"""Lets cameras in whose key is known, and counts who is turned away.

ZeroMQ encrypts (CURVE), but by itself it lets in everybody who has any key. Whom to let in it asks
a ZAP handler (ZeroMQ RFC 27) in the same context; with `ZAP_ENFORCE_DOMAIN` it lets in nobody while
there is none, so a doorkeeper that has died is a closed door. To each message of a camera that it
let in ZeroMQ ties what the handler said of it: here the id of the camera whose key it is.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Self, TypeAlias

import zmq
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

from edge_daemon.ingest.keys import Keyring
from edge_daemon.ingest.turned_away import TurnedAway

Socket: TypeAlias = "zmq.Socket[bytes]"

_LOG = logging.getLogger(__name__)
_ZAP_ADDRESS: Final = "inproc://zeromq.zap.01"
_ZAP_VERSION: Final = b"1.0"
_DOMAIN: Final = b"cameras"
_LET_IN = b"200", b"OK"
# "400" would be for good: the camera's ZeroMQ would not try again when its key has been added here.
_TURN_AWAY = b"300", b"unknown key"
_HANDSHAKE_MS: Final = 2000
"""Who knocks and doesn't come in holds a descriptor, and what he sent, for no longer than this."""
_POLL_MS: Final = 200
_JOIN_S: Final = 5.0
_COMPLAIN_EVERY_NS: Final = 1_000_000_000
_FAILED: Final = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


_ADVICE = {
    TurnedAway.WRONG_SERVER_KEY: "it has another key for this daemon; give it the one that "
    "`edge-daemon keys list` shows",
    TurnedAway.NO_KEY: "it has no key; `edge-daemon keys make` makes one",
    TurnedAway.OTHER: "it broke off before it was let in, as one without a key often does",
}


class Doorkeeper:
    """Owns the ZeroMQ context of the daemon's sockets, and a thread that watches their doors.

    Args:
        keyring: who is let in at tcp endpoints; None lets in everybody, and still counts.
        turned_away: called for each who wasn't let in, from the doorkeeper's thread.
        hung_up: called for each connection that had been let in and ended, from that thread too.
        beat: called at every turn, at least every 0.5 s.
        monotonic_ns: a clock, for how often to complain.
    """

    def __init__(
        self,
        keyring: Keyring | None,
        *,
        turned_away: Callable[[TurnedAway], None] = lambda _reason: None,
        hung_up: Callable[[], None] = lambda: None,
        beat: Callable[[], None] = lambda: None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._keyring = keyring
        self._turned_away = turned_away
        self._hung_up = hung_up
        self._beat = beat
        self._monotonic_ns = monotonic_ns
        self._context: zmq.Context[Socket] | None = None
        self._zap: Socket | None = None
        self._new_monitors: queue.SimpleQueue[Socket] = queue.SimpleQueue()
        self._monitors: list[Socket] = []
        self._locked: set[Socket] = set()
        self._failing: set[Socket] = set()
        self._complained_ns: dict[TurnedAway, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="doorkeeper", daemon=True)
        self.failure: BaseException | None = None

    @property
    def context(self) -> "zmq.Context[Socket]":
        """Where the daemon's sockets have to be opened: handlers are found by context.

        Raises:
            RuntimeError: it hasn't been entered.
        """
        if self._context is None:
            raise RuntimeError("a doorkeeper is at work inside its `with` block only")
        return self._context

    @property
    def keyed(self) -> frozenset[str]:
        """Cameras that have a key, and are to be believed with it only."""
        return frozenset(self._keyring.cameras.values() if self._keyring else ())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, but hardly was meant."""
        return self._keyring.warnings if self._keyring else ()

    def __enter__(self) -> Self:
        """Begin to answer ZeroMQ, before any socket is bound."""
        self._context = zmq.Context()
        if self._keyring is not None:
            self._zap = self._context.socket(zmq.REP)
            self._zap.bind(_ZAP_ADDRESS)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, once the guarded sockets are closed."""
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._adopt_monitors()
        for socket in self._monitors:
            socket.close(0)
        if self._context is not None:
            self._context.term()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @contextmanager
    def guard(self, socket: Socket, *, locked: bool) -> Iterator[None]:
        """Watch over a socket that is about to be bound.

        Args:
            socket: of this doorkeeper's context.
            locked: whether a key is asked for, where there is a keyring.
        """
        socket.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        if locked and self._keyring is not None:
            socket.setsockopt(zmq.CURVE_SERVER, 1)
            socket.setsockopt_string(zmq.CURVE_SECRETKEY, self._keyring.daemon.secret)
            socket.setsockopt(zmq.ZAP_DOMAIN, _DOMAIN)
            socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)
            self._locked.add(socket)
        address = f"inproc://door-{id(socket)}"
        socket.monitor(address, _FAILED | zmq.EVENT_DISCONNECTED)
        monitor = self.context.socket(zmq.PAIR)
        # Without this ZeroMQ's only I/O thread would block for good once 2000 events wait unread.
        monitor.setsockopt(zmq.RCVHWM, 0)
        monitor.connect(address)
        self._new_monitors.put(monitor)
        try:
            yield
        finally:
            socket.disable_monitor()

    def sender_of(self, frame: zmq.Frame, socket: Socket) -> str | None:
        """The camera whose key a message came with; None where the socket asks for none.

        There a peer could make up the property that is read here: it is one of those that each
        end may tell of itself, and only what a ZAP handler says of it comes before that.
        """
        return str(frame.get("User-Id")) if socket in self._locked else None

    def _watch(self) -> None:
        try:
            while not self._stopping.is_set():
                self._beat()
                self._adopt_monitors()
                poller = zmq.Poller()
                for socket in (*self._monitors, *([self._zap] if self._zap else [])):
                    poller.register(socket, zmq.POLLIN)
                for socket, _ in poller.poll(_POLL_MS):
                    if socket is self._zap:
                        socket.send_multipart(self._decide(socket.recv_multipart()))
                    else:
                        self._note(socket)
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: main reports it
            self.failure = failure
        finally:
            if self._zap is not None:
                self._zap.close(0)  # from now on every handshake fails, and at once

    def _adopt_monitors(self) -> None:
        while not self._new_monitors.empty():
            self._monitors.append(self._new_monitors.get())

    def _decide(self, request: list[bytes]) -> list[bytes]:
        """Answer one request: version, number, domain, address, identity, mechanism, key."""
        _version, number, domain, address, _identity, mechanism, *credentials = request
        camera = None
        if self._keyring is not None and domain == _DOMAIN and mechanism == b"CURVE":
            key = z85.encode(credentials[0]).decode()
            camera = self._keyring.cameras.get(key)
            if camera is None and self._may_complain(TurnedAway.UNKNOWN_KEY):
                _LOG.warning(
                    "turned away at %s: its key %s is that of no [[camera]]; give its public_key "
                    "to the one that it is",
                    address.decode(errors="replace"),
                    key,
                )
        status = _TURN_AWAY if camera is None else _LET_IN
        return [_ZAP_VERSION, number, *status, (camera or "").encode(), b""]

    def _note(self, monitor: Socket) -> None:
        event = parse_monitor_message(monitor.recv_multipart())
        if event["event"] == zmq.EVENT_DISCONNECTED:
            # The end of a connection follows its failed handshake at once: that was counted.
            if monitor in self._failing:
                self._failing.discard(monitor)
            else:
                self._hung_up()
        elif event["event"] & _FAILED:
            self._failing.add(monitor)
            reason = _reason(event["event"], event["value"])
            self._turned_away(reason)
            if reason in _ADVICE and self._may_complain(reason):
                endpoint = event["endpoint"].decode(errors="replace")
                _LOG.warning("somebody was turned away at %s: %s", endpoint, _ADVICE[reason])

    def _may_complain(self, reason: TurnedAway) -> bool:
        """Whether this reason was not logged within the last second."""
        now_ns = self._monotonic_ns()
        last_ns = self._complained_ns.get(reason)
        if last_ns is not None and now_ns - last_ns < _COMPLAIN_EVERY_NS:
            return False
        self._complained_ns[reason] = now_ns
        return True


def _reason(event: int, value: int) -> TurnedAway:
    if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
        return TurnedAway.UNKNOWN_KEY
    if event == zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return {
            int(zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC): TurnedAway.WRONG_SERVER_KEY,
            int(zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH): TurnedAway.NO_KEY,
        }.get(value, TurnedAway.OTHER)
    return TurnedAway.OTHER
