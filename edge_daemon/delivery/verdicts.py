"""What the broker has said about messages, until the outbox knows it too."""

from edge_daemon.delivery.journal import Journal
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.storage.outbox import Outbox
from edge_daemon.storage.rows import StoredMessage


class Verdicts:
    """Confirmed and doomed messages that still lie in the outbox, and must not be sent again.

    Args:
        outbox: open; written to by `write_down` alone.
        journal: keeps what was confirmed.
        observer: told of each message that was given up.
    """

    def __init__(self, outbox: Outbox, journal: Journal, observer: DeliveryObserver) -> None:
        self._outbox = outbox
        self._journal = journal
        self._observer = observer
        self._confirmed: dict[int, int] = {}
        self._doomed: dict[int, tuple[str, str]] = {}

    @property
    def seqs(self) -> set[int]:
        """The numbers that a verdict has been passed on."""
        return self._confirmed.keys() | self._doomed.keys()

    def confirm(self, message: StoredMessage) -> None:
        """The broker has taken it."""
        self._confirmed[message.seq] = len(message.payload)

    def doom(self, message: StoredMessage, reason: str) -> None:
        """The broker will never take it."""
        self._doomed[message.seq] = (message.topic, reason)

    def write_down(self) -> None:
        """Put what was confirmed into the journal, bury what was doomed.

        Raises:
            StoreError: what couldn't be written stays here; call again.
        """
        self._journal.write_down(self._confirmed)
        self._confirmed.clear()
        for seq, (topic, reason) in list(self._doomed.items()):
            self._outbox.bury(seq, reason)
            del self._doomed[seq]
            self._observer.dead(topic, reason)
