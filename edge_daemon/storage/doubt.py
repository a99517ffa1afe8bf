"""The booking of which nobody knows whether it is on the disk."""

from collections.abc import Sequence

from edge_daemon.core.envelope import Announcement
from edge_daemon.storage.rows import Row
from edge_daemon.storage.store import Store


class Doubt:
    """Remembers a commit that failed on the disk until the same is tried again.

    A disk that reports an error while syncing may have written all the same; when the file has been
    opened anew, that shows. Stored again, the announcements would come with other ids.

    Args:
        store: where to look.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._announcements: list[Announcement] = []
        self._rows: list[Row] = []

    def remember(self, announcements: Sequence[Announcement], rows: list[Row]) -> None:
        """These were to be stored as these rows, and the disk failed."""
        if not self._rows:
            self._announcements, self._rows = list(announcements), rows

    def forget(self) -> None:
        """All is stored."""
        self._announcements, self._rows = [], []

    def stored(self, announcements: Sequence[Announcement]) -> list[Row]:
        """Return what is stored already of announcements that are tried again: their beginning.

        Raises:
            StoreError: the file can't be opened again, or not be read.
        """
        if not self._rows or list(announcements[: len(self._announcements)]) != self._announcements:
            return []
        found = self._store.select(
            "SELECT 1 FROM outbox WHERE message_id = ?", (self._rows[0].message_id,)
        )
        if not found:
            self.forget()
        return list(self._rows)
