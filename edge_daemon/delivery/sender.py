"""From the outbox to the broker: in order, within the window, until the broker has said yes.

What becomes of a message is decided by the reason code of its PUBACK alone:

| code                        | meaning                   | then                                  |
|-----------------------------|---------------------------|---------------------------------------|
| 0x00                        | success                   | deleted from the outbox               |
| 0x10                        | taken, but nobody listens | deleted, counted as unrouted          |
| 0x90, 0x95, 0x99, too large | never, as it is           | dead until the next start, counted    |
| 0x87                        | not authorized (ACL)      | its topic waits, then it tries again  |
| any other from 0x80 on      | not now (quota, fault)    | everything waits, then it tries again |

A broker's ACL is mended by a person while the daemon runs, so a message that it refuses (0x87) is
never given up; waiting by topic lets the other topics through and keeps the order within each.
"""

import logging
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final

from edge_daemon.clock import Clock
from edge_daemon.core.messages import Body, HealthReport, StatusReport
from edge_daemon.delivery.backoff import Backoff
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.holds import EVERYTHING, Holds
from edge_daemon.delivery.mqtt import (
    NO_SUBSCRIBERS,
    Acknowledged,
    Closed,
    Connected,
    Link,
    LinkEvent,
)
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.outbox import Outbox, StoredMessage
from edge_daemon.delivery.outgoing import Outgoing
from edge_daemon.delivery.patience import Patience
from edge_daemon.delivery.verdicts import Verdicts
from edge_daemon.delivery.window import Flight, Window

_log = logging.getLogger(__name__)

_FAILURE: Final = 0x80
_NOT_AUTHORIZED: Final = 0x87
_NEVER: Final = frozenset({0x90, 0x95, 0x99})
_POISONED: Final = frozenset({0x81, 0x82, 0x90, 0x95, 0x99, 0x9A, 0x9B})
_HEALTH_EXPIRY_S: Final = 15
_SECOND_NS: Final = 1_000_000_000


class Sender:
    """Delivers what lies in the outbox; every call on the thread that owns the outbox.

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
        self._first_own_seq = outbox.last_seq + 1
        self._link: Link | None = None
        self._connected = False
        self._leaving = False
        self._farewell_mid: int | None = None
        self._trouble = "not connected yet"
        self._reconnect = Backoff(*patience.reconnect_s)
        self._reconnect_at_ns = 0
        self._health_at_ns = 0
        self._window = Window()
        self._packet_maximum = 0
        # Every pending message up to the cursor is in flight, confirmed, or of a topic that waits.
        self._cursor = 0
        self._verdicts = Verdicts(outbox, observer)
        self._holds = Holds(*patience.refused_s)

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

    def handle(self, event: LinkEvent) -> None:
        """Take in what a link reports."""
        if event.link is not self._link:
            return
        match event:
            case Connected():
                if not self._leaving:
                    self._begin(event)
            case Acknowledged():
                self._take_answer(event)
            case Closed():
                self._end(event)

    def turn(self) -> None:
        """Do what is due: delete what was confirmed, connect, publish, mind the deadline.

        Raises:
            StoreError: the outbox can't be read or written; nothing is lost, try again later.
        """
        now_ns = self._clock.monotonic_ns()
        self._verdicts.write_down()
        if self._link is None and not self._leaving and now_ns >= self._reconnect_at_ns:
            self._open()
        if self._connected:
            self._mind_deadline(now_ns)
            if not self._leaving:
                if self._holds.release(now_ns):
                    self._cursor = 0
                self._publish_pending(now_ns)
                self._publish_health(now_ns)

    def wait_ns(self) -> int:
        """Return how long nothing will be due, ns, unless an event comes in."""
        now_ns = self._clock.monotonic_ns()
        if self._link is None:
            due_ns = [self._reconnect_at_ns]
        else:
            due_ns = [self._health_at_ns, *self._holds.due_ns()]
        return min((at_ns - now_ns for at_ns in due_ns if at_ns > now_ns), default=_SECOND_NS)

    def say_goodbye(self) -> None:
        """Publish the clean stop; the link is closed when the broker has taken it."""
        self._leaving = True
        if self._connected and self._window.free > 0:
            self._farewell_mid = self._publish_status(self._status.ended("stopped"))
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
        self._window.open(min(self._patience.window, event.receive_maximum))
        self._packet_maximum = event.packet_maximum
        self._cursor = 0
        self._health_at_ns = 0
        _log.info("connected to the broker at %s:%d", self._broker.host, self._broker.port)
        self._observer.connection_changed(connected=True)
        self._publish_status(self._status)

    def _end(self, event: Closed) -> None:
        self._link = None
        if self._connected:
            self._connected = False
            self._observer.connection_changed(connected=False)
        if event.reason != self._trouble and not self._leaving:
            place = f"{self._broker.host}:{self._broker.port}"
            _log.warning("no connection to the broker at %s: %s", place, event.reason)
        self._trouble = event.reason
        self._reconnect_at_ns = self._clock.monotonic_ns() + self._reconnect.next_ns()
        culprit = self._window.close(poisoned=event.code in _POISONED)
        if culprit is not None:
            self._doom(culprit, event.reason)

    def _take_answer(self, answer: Acknowledged) -> None:
        flight = self._window.land(answer.mid)
        if flight is None:
            return
        if flight.message is None:
            self._take_status_answer(answer)
        elif answer.code < _FAILURE:
            self._confirm(flight.message, unrouted=answer.code == NO_SUBSCRIBERS)
        elif answer.code in _NEVER:
            self._doom(flight.message, answer.reason)
        else:
            self._postpone(flight.message.topic, answer)

    def _take_status_answer(self, answer: Acknowledged) -> None:
        refused = answer.code >= _FAILURE
        if refused:
            _log.warning("the broker refuses %s/status: %s", self._broker.root, answer.reason)
        else:
            self._reconnect.reset()
        if answer.mid == self._farewell_mid:
            answer.link.close(with_will=refused)

    def _confirm(self, message: StoredMessage, *, unrouted: bool) -> None:
        self._verdicts.confirm(message)
        if self._holds.forget(message.topic):
            self._cursor = 0
        latency_s = None
        if message.seq >= self._first_own_seq and message.arrived_monotonic_ns is not None:
            latency_s = (self._clock.monotonic_ns() - message.arrived_monotonic_ns) / 1e9
        self._observer.confirmed(latency_s, unrouted=unrouted)

    def _doom(self, message: StoredMessage, reason: str) -> None:
        _log.error("message %d on %s is not taken: %s", message.seq, message.topic, reason)
        self._verdicts.doom(message, reason)

    def _postpone(self, topic: str, answer: Acknowledged) -> None:
        held = topic if answer.code == _NOT_AUTHORIZED else EVERYTHING
        if self._holds.hold(held, self._clock.monotonic_ns()):
            _log.warning("the broker refuses %s/%s: %s", self._broker.root, topic, answer.reason)

    def _publish_pending(self, now_ns: int) -> None:
        while (free := self._free()) > 0:
            shut = {*self._holds.held, *self._on_probation()}
            messages = self._outbox.pending(after_seq=self._cursor, limit=free, held_topics=shut)
            self._cursor = messages[-1].seq if len(messages) == free else self._outbox.last_seq
            busy = self._window.seqs | self._verdicts.seqs
            for message in messages:
                if message.seq not in busy and message.topic not in self._on_probation():
                    self._publish(message, now_ns)
            if len(messages) < free:
                return

    def _free(self) -> int:
        if EVERYTHING in self._holds.held:
            return 0
        if EVERYTHING in self._holds.probing:
            return min(self._window.free, 1 - len(self._window.seqs))
        return self._window.free

    def _on_probation(self) -> set[str]:
        """Return the topics that try with one message, while it is under way."""
        return self._window.topics.intersection(self._holds.probing)

    def _publish(self, message: StoredMessage, now_ns: int) -> None:
        outgoing = Outgoing(
            f"{self._broker.root}/{message.topic}", message.payload, retain=message.retain
        )
        size_bytes = outgoing.packet_bytes()
        if size_bytes > self._packet_maximum:
            limit = f"{size_bytes} bytes, the broker takes {self._packet_maximum}"
            self._doom(message, f"packet too large: {limit}")
            return
        self._launch(outgoing, Flight(message, now_ns))

    def _publish_status(self, status: StatusReport) -> int | None:
        return self._launch(self._outgoing(status), Flight(None, self._clock.monotonic_ns()))

    def _launch(self, outgoing: Outgoing, flight: Flight) -> int | None:
        if self._link is None:
            return None
        mid = self._link.publish(outgoing)
        self._window.launch(mid, flight)
        return mid

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
        limit_ns = int(self._patience.ack_deadline_s * _SECOND_NS)
        oldest_ns = self._window.oldest_ns
        if self._link is not None and oldest_ns is not None and now_ns - oldest_ns > limit_ns:
            self._link.abort(f"no acknowledgement within {self._patience.ack_deadline_s} s")
            self._window.close(poisoned=False)
