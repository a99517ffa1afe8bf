"""The connection to the broker: made, used, made anew, and taken leave of."""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from edge_daemon.clock import Clock
from edge_daemon.core.messages import Body, HealthReport, StatusReport
from edge_daemon.delivery.backoff import Backoff
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.dispatch import FAILURE, Dispatch
from edge_daemon.delivery.mqtt import Acknowledged, Closed, Connected, Link, LinkEvent
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.outgoing import Outgoing
from edge_daemon.delivery.patience import Patience
from edge_daemon.storage.outbox import Outbox

_log = logging.getLogger(__name__)

_HEALTH_EXPIRY_S: Final = 15
_SECOND_NS: Final = 1_000_000_000


class Sender:
    """Keeps a connection to the broker; every call on the thread that owns the outbox.

    Args:
        broker: where to.
        outbox: open.
        inbox: where links put their events; the owner passes them on to `handle`.
        clock: monotonic time for waits and latencies.
        status: what the birth says; will and clean stop follow from it.
        health: asked each time that health is due.
        observer: told how it goes.
        patience: waits and window.
    """

    def __init__(
        self,
        broker: Broker,
        outbox: Outbox,
        *,
        inbox: SimpleQueue[Any],
        clock: Clock,
        status: StatusReport,
        health: Callable[[], HealthReport],
        observer: DeliveryObserver,
        patience: Patience,
    ) -> None:
        self._broker = broker
        self._outbox = outbox
        self._inbox = inbox
        self._clock = clock
        self._status = status
        self._health = health
        self._observer = observer
        self._patience = patience
        self._dispatch = Dispatch(
            broker.root, outbox, clock=clock, observer=observer, patience=patience
        )
        self._link: Link | None = None
        self._connected = False
        self._leaving = False
        self._farewell_mid: int | None = None
        self._left_in_order = False
        self._trouble = "not connected yet"
        self._reconnect = Backoff(*patience.reconnect_s)
        self._reconnect_at_ns = 0
        self._health_at_ns = 0

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the present connection."""
        return self._connected

    @property
    def trouble(self) -> str | None:
        """Why there is no connection; None while there is one."""
        return None if self._connected else self._trouble

    @property
    def over(self) -> bool:
        """Whether no link is left after `say_goodbye`."""
        return self._leaving and self._link is None

    @property
    def left_in_order(self) -> bool:
        """Whether the broker has taken the clean stop, and with it all that it confirmed before."""
        return self._left_in_order

    def handle(self, event: LinkEvent) -> None:
        """Take in what a link reports."""
        if event.link is not self._link:
            return
        match event:
            case Connected():
                if not self._leaving:
                    self._begin(event)
            case Acknowledged():
                if self._dispatch.take_answer(event):
                    self._take_status_answer(event)
            case Closed():
                self._end(event)

    def turn(self) -> None:
        """Do what is due: write down what was answered, connect, publish, mind the deadline.

        Raises:
            StoreError: the outbox can't be read or written; nothing is lost, try again later.
        """
        now_ns = self._clock.monotonic_ns()
        self._dispatch.write_down()
        if self._link is None and not self._leaving and now_ns >= self._reconnect_at_ns:
            self._open()
        if self._connected:
            self._mind_deadline(now_ns)
            if not self._leaving:
                self._dispatch.turn(now_ns)
                self._publish_health(now_ns)

    def wait_ns(self) -> int:
        """Return how long nothing will be due, ns, unless an event comes in."""
        now_ns = self._clock.monotonic_ns()
        if self._link is None:
            due_ns = [self._reconnect_at_ns]
        else:
            due_ns = [self._health_at_ns, *self._dispatch.due_ns()]
        return min((at_ns - now_ns for at_ns in due_ns if at_ns > now_ns), default=_SECOND_NS)

    def say_goodbye(self) -> None:
        """Publish the clean stop; the link is closed when the broker has taken it."""
        self._leaving = True
        if self._connected and self._dispatch.has_room:
            outgoing = self._outgoing(self._status.ended("stopped"))
            self._farewell_mid = self._dispatch.send_status(outgoing)
        elif self._link is not None and self._connected:
            self._link.close(with_will=True)
        else:
            self.cut()

    def cut(self) -> None:
        """Wait for nothing any more; where there is a link, the broker publishes the will."""
        self._leaving = True
        if self._link is not None:
            self._link.abort("the daemon stops")

    def _open(self) -> None:
        will = self._outgoing(self._status.ended("lost"))
        self._link = Link(self._broker, will, self._inbox)
        self._link.open()

    def _begin(self, event: Connected) -> None:
        self._connected = True
        self._dispatch.begin(event)
        self._health_at_ns = 0
        _log.info("connected to the broker at %s:%d", self._broker.host, self._broker.port)
        self._observer.connection_changed(connected=True)
        self._dispatch.send_status(self._outgoing(self._status))

    def _end(self, event: Closed) -> None:
        self._link = None
        event.link.release()
        if self._connected:
            self._connected = False
            self._observer.connection_changed(connected=False)
        if event.reason != self._trouble and not self._leaving:
            place = f"{self._broker.host}:{self._broker.port}"
            _log.warning("no connection to the broker at %s: %s", place, event.reason)
        self._trouble = event.reason
        self._reconnect_at_ns = self._clock.monotonic_ns() + self._reconnect.next_ns()
        if not self._left_in_order:
            self._dispatch.end(event)

    def _take_status_answer(self, answer: Acknowledged) -> None:
        refused = answer.code >= FAILURE
        if refused:
            _log.warning("the broker refuses %s/status: %s", self._broker.root, answer.reason)
        else:
            self._reconnect.reset()
        if answer.mid == self._farewell_mid:
            self._left_in_order = not refused
            answer.link.close(with_will=refused)

    def _publish_health(self, now_ns: int) -> None:
        if now_ns >= self._health_at_ns and self._link is not None:
            self._health_at_ns = now_ns + int(self._patience.health_s * _SECOND_NS)
            self._link.publish(self._outgoing(self._health(), expiry_s=_HEALTH_EXPIRY_S))

    def _outgoing(self, body: Body, *, expiry_s: int | None = None) -> Outgoing:
        return Outgoing(
            f"{self._broker.root}/{body.topic}",
            self._outbox.stamp(body),
            qos=body.qos,
            retain=body.retain,
            expiry_s=expiry_s,
        )

    def _mind_deadline(self, now_ns: int) -> None:
        if self._link is not None and self._dispatch.is_overdue(now_ns):
            self._link.abort(f"no acknowledgement within {self._patience.ack_deadline_s} s")
            self._dispatch.give_up_waiting()
