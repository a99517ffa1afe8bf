"""What the broker has said about messages, until the outbox knows it too."""

from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.outbox import Outbox, StoredMessage


class Verdicts:
    """Confirmed and doomed messages that still lie in the outbox, and must not be sent again.

    Args:
        outbox: open; written to by `write_down` alone.
        observer: told of each message that was given up.
    """

    def __init__(self, outbox: Outbox, observer: DeliveryObserver) -> None:
        self._outbox = outbox
        self._observer = observer
        self._confirmed: set[int] = set()
        self._doomed: dict[int, tuple[str, str]] = {}

    @property
    def seqs(self) -> set[int]:
        """The numbers that a verdict has been passed on."""
        return self._confirmed | self._doomed.keys()

    def confirm(self, message: StoredMessage) -> None:
        """The broker has taken it."""
        self._confirmed.add(message.seq)

    def doom(self, message: StoredMessage, reason: str) -> None:
        """The broker will never take it."""
        self._doomed[message.seq] = (message.topic, reason)

    def write_down(self) -> None:
        """Delete what was confirmed, bury what was doomed.

        Raises:
            StoreError: what couldn't be written stays here; call again.
        """
        if self._confirmed:
            self._outbox.remove(self._confirmed)
            self._confirmed.clear()
        for seq, (topic, reason) in list(self._doomed.items()):
            self._outbox.bury(seq, reason)
            del self._doomed[seq]
            self._observer.dead(topic, reason)
