"""What the courier's thread does, round after round: take in, commit, deliver; at last, leave."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeAlias

from edge_daemon.clock import Clock
from edge_daemon.delivery.intake import Booking, Intake
from edge_daemon.delivery.mqtt import Acknowledged, Closed, Connected, LinkEvent
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.sender import Sender
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import Outbox

_log = logging.getLogger(__name__)

_TURN_NS: Final = 500_000_000
_GROUP_EVENTS: Final = 1024
_LINGER_S: Final = 0.05
_FAREWELL_S: Final = 0.8


@dataclass(frozen=True, slots=True)
class Flush:
    """Somebody wants to know when everything before this is on disk."""

    done: threading.Event


@dataclass(frozen=True, slots=True)
class Stop:
    """The last that is taken in.

    Attributes:
        drain_s: for so long what waits may still be delivered.
    """

    drain_s: float


Event: TypeAlias = Booking | Flush | Stop | LinkEvent


class Rounds:
    """The work on one open outbox, on one thread.

    Args:
        outbox: open.
        inbox: bookings, links' events, and at last a `Stop`.
        intake: makes bookings durable.
        sender: delivers; None keeps everything in the outbox.
        clock: monotonic time.
        observer: told about depth.
        on_announced: gets the topic below the root and the payload of each message just stored.
        beat: called at least twice a second while the thread is well.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        inbox: SimpleQueue[Any],
        intake: Intake,
        sender: Sender | None,
        clock: Clock,
        observer: DeliveryObserver,
        on_announced: Callable[[str, bytes], None],
        beat: Callable[[], None],
    ) -> None:
        self._outbox = outbox
        self._inbox: SimpleQueue[Event] = inbox
        self._intake = intake
        self._sender = sender
        self._clock = clock
        self._observer = observer
        self._on_announced = on_announced
        self._beat = beat
        self._stop: Stop | None = None
        self._trouble: str | None = None
        self._told: tuple[int, int] | None = None

    @property
    def trouble(self) -> str | None:
        """Why delivery can't read or write the outbox; None while it can."""
        return self._trouble

    def serve(self) -> None:
        """Go round until a `Stop` comes, then deliver what can be delivered in its time."""
        while self._stop is None:
            self._turn()
        self._turn_until(self._nothing_left, self._stop.drain_s)
        if self._intake.waiting:
            why = self._intake.trouble or "no time"
            _log.error("%d bookings were not made durable: %s", self._intake.waiting, why)

    def leave(self, *, farewell: bool) -> None:
        """Take leave of the broker.

        Args:
            farewell: tell the broker that this is a clean stop; else it publishes the will.
        """
        if self._sender is None:
            return
        if farewell:
            self._sender.say_goodbye()
            self._turn_until(self._gone, _FAREWELL_S)
        self._sender.cut()
        if self._sender.left_in_order:
            try:
                self._outbox.forget_confirmed()
            except StoreError as error:
                _log.warning("what was delivered will be sent again: %s", error)

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
            self._trouble = None
        except StoreError as error:
            self._trouble = str(error)

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

    def _sort(self, event: Event) -> None:
        match event:
            case Booking():
                self._intake.take(event)
            case Flush():
                self._intake.tell_when_durable(event.done)
            case Stop():
                self._stop = event
            case Connected() | Acknowledged() | Closed():
                if self._sender is not None:
                    self._sender.handle(event)

    def _tell_depth(self) -> None:
        told = (self._outbox.depth, self._outbox.last_seq)
        if told != self._told:
            self._observer.depth_changed(self._outbox.depth, self._outbox.oldest_ns())
            self._told = told
