"""The courier: the one thread between the pipeline and the plant.

It owns the outbox and the connection to the broker. What is submitted is committed in the order of
submission, everything that waits in one transaction; only what is on disk is sent. Trouble with
the disk or the broker stays here: bookings wait in a bounded queue, and when that is full `submit`
blocks, so that the pipeline stops claiming lines as inspected which nobody could prove.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self, TypeAlias

from edge_daemon.clock import Clock
from edge_daemon.core.messages import HealthReport, StatusReport
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.intake import Booking, Intake
from edge_daemon.delivery.mqtt import Acknowledged, Closed, Connected, LinkEvent
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.outbox import DEFAULT_MAX_BYTES, Outbox
from edge_daemon.delivery.patience import DEFAULT_PATIENCE, Patience
from edge_daemon.delivery.sender import Sender
from edge_daemon.errors import StoreError

__all__ = ["Booking", "Courier"]

_log = logging.getLogger(__name__)

_TURN_S: Final = 0.5
_TURN_NS: Final = int(_TURN_S * 1e9)
_QUEUED_BOOKINGS: Final = 256
_GROUP_EVENTS: Final = 1024
_LINGER_S: Final = 0.05
_FAREWELL_S: Final = 2.0
_DRAIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Flush:
    done: threading.Event


@dataclass(frozen=True, slots=True)
class _Stop:
    drain_s: float


_Event: TypeAlias = Booking | _Flush | _Stop | LinkEvent


class Courier:
    """Takes bookings from any thread, makes them durable and delivers them.

    Opening starts the thread and waits until the outbox is open; leaving drains.

    Args:
        path: the outbox's file.
        status: what the birth says: running, since when, with which bundle.
        health: asked on the courier's thread each time that health is due; must not block.
        broker: where to deliver; None keeps everything in the outbox.
        clock: wall and monotonic time.
        observer: told about depth, connection and confirmations.
        on_announced: gets the topic below the root and the payload of each message just stored.
        beat: called at least twice a second while the thread is well.
        patience: waits and window.
        max_bytes: limit of the outbox's file; when it is reached, bookings wait.
    """

    def __init__(
        self,
        path: Path,
        status: StatusReport,
        *,
        health: Callable[[], HealthReport],
        broker: Broker | None,
        clock: Clock,
        observer: DeliveryObserver,
        on_announced: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        beat: Callable[[], None] = lambda: None,
        patience: Patience = DEFAULT_PATIENCE,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._outbox = Outbox(path, clock, max_bytes=max_bytes)
        self._status = status
        self._health = health
        self._broker = broker
        self._clock = clock
        self._observer = observer
        self._on_announced = on_announced
        self._beat = beat
        self._patience = patience
        self._inbox: SimpleQueue[_Event] = SimpleQueue()
        # Counts bookings submitted and not yet on disk; the inbox itself knows no limit.
        self._room = threading.Semaphore(_QUEUED_BOOKINGS)
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._refusal: StoreError | None = None
        self._initial_state: dict[str, str] = {}
        self._intake = Intake(self._outbox, clock, self._room)
        self._sender: Sender | None = None
        self._delivery_trouble: str | None = None
        self._stop: _Stop | None = None
        self._farewell = True
        self._told: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._opened.wait()
        if self._refusal is not None:
            self._thread.join()
            raise self._refusal
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def initial_state(self) -> Mapping[str, str]:
        """The documents as they were when the outbox was opened."""
        return self._initial_state

    @property
    def set_aside(self) -> Path | None:
        """Where an outbox went that couldn't be used; None is the rule."""
        return self._outbox.set_aside

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def degraded(self) -> str | None:
        """Why nothing can be made durable just now; None while all is well."""
        return self._intake.trouble or self._delivery_trouble

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._sender is not None and self._sender.connected

    @property
    def broker_trouble(self) -> str | None:
        """Why there is no connection; None while there is one, or none is wanted."""
        return None if self._sender is None else self._sender.trouble

    def submit(self, booking: Booking, timeout_s: float | None = None) -> bool:
        """Hand over a booking; blocks while too many wait for the disk.

        Args:
            booking: from here on the courier's.
            timeout_s: how long to block at most; None: as long as it takes.

        Returns:
            whether it was taken; if not, submit the same one again.

        Raises:
            StoreError: the courier's thread has ended.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if not self.alive:
                raise StoreError("the courier has stopped; restart the daemon")
            left_s = _TURN_S if deadline_s is None else deadline_s - time.monotonic()
            if self._room.acquire(timeout=min(max(left_s, 0.0), _TURN_S)):
                self._inbox.put(booking)
                return True
            if left_s <= 0:
                return False

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything submitted before is on disk; return whether it is."""
        flush = _Flush(threading.Event())
        self._inbox.put(flush)
        return flush.done.wait(timeout_s)

    def omit_farewell(self) -> None:
        """At the end let the broker publish the will: this is no clean stop."""
        self._farewell = False

    def close(self, drain_s: float = _DRAIN_S) -> None:
        """Commit what was submitted, deliver until `drain_s` is over, say goodbye, stop.

        What couldn't be delivered stays in the outbox for the next start. Calling it again only
        waits for the thread's end.
        """
        self._inbox.put(_Stop(drain_s))
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._outbox as outbox:
                self._open(outbox)
                self._serve()
        except StoreError as error:
            if self._opened.is_set():
                raise
            self._refusal = error
        finally:
            self._opened.set()

    def _open(self, outbox: Outbox) -> None:
        revived = outbox.revive()
        if revived:
            _log.info("%d messages refused for good earlier are offered again", revived)
        self._initial_state = outbox.state()
        if self._broker is not None:
            self._sender = Sender(
                self._broker,
                outbox,
                inbox=self._inbox,
                clock=self._clock,
                status=self._status,
                health=self._health,
                observer=self._observer,
                patience=self._patience,
            )
        self._opened.set()

    def _serve(self) -> None:
        while self._stop is None:
            self._turn()
        self._turn_until(self._nothing_left, self._stop.drain_s)
        if self._intake.waiting:
            _log.error("%d bookings were not made durable: %s", self._intake.waiting, self.degraded)
        if self._sender is not None:
            if self._farewell:
                self._sender.say_goodbye()
                self._turn_until(self._gone, _FAREWELL_S)
            self._sender.cut()

    def _turn_until(self, reached: Callable[[], bool], limit_s: float) -> None:
        deadline_ns = self._clock.monotonic_ns() + int(limit_s * 1e9)
        while not reached() and (left_ns := deadline_ns - self._clock.monotonic_ns()) > 0:
            self._turn(left_ns)

    def _nothing_left(self) -> bool:
        undelivered = self._sender is not None and self._outbox.depth > 0
        return not self._intake.waiting and not undelivered

    def _gone(self) -> bool:
        return self._sender is None or self._sender.over

    def _turn(self, most_ns: int = _TURN_NS) -> None:
        self._beat()
        self._take(min(most_ns, self._idle_ns()))
        for message in self._intake.commit():
            self._on_announced(message.topic, message.payload)
        try:
            if self._sender is not None:
                self._sender.turn()
            self._tell_depth()
            self._delivery_trouble = None
        except StoreError as error:
            self._delivery_trouble = str(error)

    def _idle_ns(self) -> int:
        waits_ns = [_TURN_NS, self._intake.wait_ns()]
        if self._sender is not None:
            waits_ns.append(self._sender.wait_ns())
        return min(wait_ns for wait_ns in waits_ns if wait_ns is not None)

    def _take(self, wait_ns: int) -> None:
        """Take in what came in; the longer the last commit took, the more goes into the next.

        A booking that tells nobody anything may wait for others: a commit for each frame would wear
        flash out, and a crash only makes a few more rows count as not inspected.
        """
        try:
            event = self._inbox.get(timeout=wait_ns / 1e9)
            due_s = time.monotonic() + _LINGER_S
            for _ in range(_GROUP_EVENTS):
                self._sort(event)
                if not (isinstance(event, Booking) and not event.announcements):
                    due_s = 0.0
                left_s = due_s - time.monotonic()
                event = self._inbox.get(left_s > 0.0, max(left_s, 0.0))
            self._sort(event)
        except Empty:
            return

    def _sort(self, event: _Event) -> None:
        match event:
            case Booking():
                self._intake.take(event)
            case _Flush():
                self._intake.tell_when_durable(event.done)
            case _Stop():
                self._stop = event
            case Connected() | Acknowledged() | Closed():
                if self._sender is not None:
                    self._sender.handle(event)

    def _tell_depth(self) -> None:
        told = (self._outbox.depth, self._outbox.last_seq)
        if told != self._told:
            self._observer.depth_changed(self._outbox.depth, self._outbox.oldest_ns())
            self._told = told
