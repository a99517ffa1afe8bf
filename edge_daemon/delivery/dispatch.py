"""What goes over one connection after the other: in order, within the window, until it is answered.

What becomes of a message is decided by the reason code of its PUBACK alone:

| code                        | meaning                   | then                                  |
|-----------------------------|---------------------------|---------------------------------------|
| 0x00                        | success                   | kept for a moment, then deleted       |
| 0x10                        | taken, but nobody listens | likewise, and counted as unrouted     |
| 0x90, 0x95, 0x99, too large | never, as it is           | dead until the next start, counted    |
| 0x87                        | not authorized (ACL)      | its topic waits, then it tries again  |
| any other from 0x80 on      | not now (quota, fault)    | everything waits, then it tries again |

A broker's ACL is mended by a person while the daemon runs, so a message that it refuses (0x87) is
never given up; waiting by topic lets the other topics through and keeps the order within each.
"""

import logging
import re
from typing import Final

from edge_daemon.clock import Clock
from edge_daemon.delivery.holds import EVERYTHING, Holds
from edge_daemon.delivery.journal import Journal
from edge_daemon.delivery.mqtt import NO_SUBSCRIBERS, Acknowledged, Closed, Connected, Link
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.outgoing import Outgoing
from edge_daemon.delivery.patience import Patience
from edge_daemon.delivery.verdicts import Verdicts
from edge_daemon.delivery.window import Flight, Window
from edge_daemon.storage.outbox import Outbox
from edge_daemon.storage.rows import StoredMessage

FAILURE: Final = 0x80

_log = logging.getLogger(__name__)

_NOT_AUTHORIZED: Final = 0x87
_NEVER: Final = frozenset({0x90, 0x95, 0x99})
_POISONED: Final = frozenset({0x81, 0x82, 0x90, 0x95, 0x99, 0x9A, 0x9B})
_SECOND_NS: Final = 1_000_000_000
_TOPIC: Final = re.compile(r"[A-Za-z0-9/_-]+")


class Dispatch:
    """Sends what waits in the outbox, and takes the answers; on the thread that owns the outbox.

    Args:
        root: of the topics.
        outbox: open.
        clock: monotonic time for waits and latencies.
        observer: told what is confirmed and what is dead.
        patience: waits and window.
    """

    def __init__(
        self,
        root: str,
        outbox: Outbox,
        *,
        clock: Clock,
        observer: DeliveryObserver,
        patience: Patience,
    ) -> None:
        self._root = root
        self._outbox = outbox
        self._clock = clock
        self._observer = observer
        self._patience = patience
        self._first_own_seq = outbox.last_seq + 1
        self._link: Link | None = None
        self._window = Window()
        self._packet_maximum = 0
        # Every pending message up to the cursor is in flight, confirmed, or of a topic that waits.
        self._cursor = 0
        self._journal = Journal(outbox, clock)
        self._verdicts = Verdicts(outbox, self._journal, observer)
        self._holds = Holds(*patience.refused_s)

    @property
    def has_room(self) -> bool:
        """Whether one more message may be sent now."""
        return self._window.free > 0

    def begin(self, event: Connected) -> None:
        """Start over a connection that the broker has accepted."""
        self._link = event.link
        self._window.open(min(self._patience.window, event.receive_maximum))
        self._packet_maximum = event.packet_maximum
        self._cursor = 0

    def end(self, event: Closed) -> None:
        """The connection is over, and it wasn't we who took leave."""
        poisoned = event.code in _POISONED
        if self._link is not None and not poisoned:
            # A broker that finds fault with a message lives; any other may have died.
            self._journal.link_ended()
        self._link = None
        culprit = self._window.close(poisoned=poisoned)
        if culprit is not None:
            self._doom(culprit, event.reason)

    def write_down(self) -> None:
        """Tell the outbox what has been answered.

        Raises:
            StoreError: nothing is lost; call again.
        """
        self._verdicts.write_down()

    def turn(self, now_ns: int) -> None:
        """Send what may be sent.

        Raises:
            StoreError: the outbox can't be read.
        """
        if self._holds.release(now_ns):
            self._cursor = 0
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

    def due_ns(self) -> list[int]:
        """Return when a topic that waits may be tried again."""
        return list(self._holds.due_ns())

    def is_overdue(self, now_ns: int) -> bool:
        """Whether the broker owes an acknowledgement for too long."""
        oldest_ns = self._window.oldest_ns
        limit_ns = int(self._patience.ack_deadline_s * _SECOND_NS)
        return oldest_ns is not None and now_ns - oldest_ns > limit_ns

    def give_up_waiting(self) -> None:
        """Expect no answers any more: the connection is being cut."""
        self._window.close(poisoned=False)

    def send_status(self, outgoing: Outgoing) -> int | None:
        """Send a message that the outbox doesn't know; return its packet id."""
        return self._launch(outgoing, Flight(None, self._clock.monotonic_ns()))

    def take_answer(self, answer: Acknowledged) -> bool:
        """Take in an answer; return whether it was to a status."""
        flight = self._window.land(answer.mid)
        if flight is None:
            return False
        message = flight.message
        if message is None:
            return True
        if answer.code < FAILURE:
            self._confirm(message, unrouted=answer.code == NO_SUBSCRIBERS)
        elif answer.code in _NEVER:
            self._doom(message, answer.reason)
        else:
            self._postpone(message.topic, answer)
        return False

    def _confirm(self, message: StoredMessage, *, unrouted: bool) -> None:
        self._verdicts.confirm(message)
        if self._holds.forget(message.topic):
            self._cursor = 0
        if self._journal.was_recalled(message.seq):
            return
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
            _log.warning("the broker refuses %s/%s: %s", self._root, topic, answer.reason)

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
        if not _TOPIC.fullmatch(message.topic):
            self._doom(message, f"damaged on the disk: topic {message.topic!r}")
            return
        outgoing = Outgoing(f"{self._root}/{message.topic}", message.payload, retain=message.retain)
        size_bytes = outgoing.packet_bytes()
        if size_bytes > self._packet_maximum:
            limit = f"{size_bytes} bytes, the broker takes {self._packet_maximum}"
            self._doom(message, f"packet too large: {limit}")
            return
        self._launch(outgoing, Flight(message, now_ns))

    def _launch(self, outgoing: Outgoing, flight: Flight) -> int | None:
        if self._link is None:
            return None
        mid = self._link.publish(outgoing)
        self._window.launch(mid, flight)
        return mid
