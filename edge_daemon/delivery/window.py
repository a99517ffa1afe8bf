"""The messages that the broker has not answered yet."""

from dataclasses import dataclass

from edge_daemon.storage.rows import StoredMessage


@dataclass(frozen=True, slots=True)
class Flight:
    """A QoS 1 message on its way.

    Attributes:
        message: what was sent; None for a status, which the outbox doesn't know.
        sent_ns: monotonic time of sending.
    """

    message: StoredMessage | None
    sent_ns: int


class Window:
    """What is in flight over one connection, by packet id, and how much may be."""

    def __init__(self) -> None:
        self._size = 0
        self._flights: dict[int, Flight] = {}
        # After a message that broke the connection: so many go one at a time, to find which.
        self._suspects = 0

    @property
    def free(self) -> int:
        """How many more may be sent now."""
        return min(self._size, 1 if self._suspects else self._size) - len(self._flights)

    @property
    def seqs(self) -> set[int]:
        """The sequence numbers under way."""
        return {flight.message.seq for flight in self._flights.values() if flight.message}

    @property
    def topics(self) -> set[str]:
        """The topics of what is under way."""
        return {flight.message.topic for flight in self._flights.values() if flight.message}

    @property
    def oldest_ns(self) -> int | None:
        """When the one was sent that waits longest for its answer; None: nothing is in flight."""
        return min((flight.sent_ns for flight in self._flights.values()), default=None)

    def open(self, size: int) -> None:
        """Begin with a new connection that takes `size` messages at a time."""
        self._flights.clear()
        self._size = size

    def launch(self, mid: int, flight: Flight) -> None:
        """Note that a message has been sent with this packet id."""
        self._flights[mid] = flight

    def land(self, mid: int) -> Flight | None:
        """Return what was sent with this packet id, now that it is answered."""
        flight = self._flights.pop(mid, None)
        if flight is not None and flight.message is not None:
            self._suspects = max(0, self._suspects - 1)
        return flight

    def close(self, *, poisoned: bool) -> StoredMessage | None:
        """Forget what is in flight: the connection is over.

        Args:
            poisoned: the broker ended it because of something that it was sent.

        Returns:
            the message that was the cause, where it was the only suspect.
        """
        flown = [flight.message for flight in self._flights.values() if flight.message]
        self._flights.clear()
        self._size = 0
        if not poisoned or not flown:
            return None
        culprit = flown[0] if self._suspects and len(flown) == 1 else None
        self._suspects = len(flown)
        return culprit
