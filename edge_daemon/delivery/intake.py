"""Bookings on their way to the disk."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from edge_daemon.clock import Clock
from edge_daemon.core.envelope import Announcement
from edge_daemon.delivery.backoff import Backoff
from edge_daemon.errors import StoreError
from edge_daemon.storage.database import FullError
from edge_daemon.storage.outbox import Outbox
from edge_daemon.storage.rows import StoredMessage

_log = logging.getLogger(__name__)

_RETRY_S: Final = (0.1, 5.0)


@dataclass(frozen=True, slots=True)
class Booking:
    """What belongs together: it becomes durable as a whole or not at all.

    Attributes:
        announcements: facts for the plant, in order.
        state: documents of the pipeline to set, or with None to remove.
    """

    announcements: tuple[Announcement, ...] = ()
    state: Mapping[str, str | None] = field(default_factory=dict)


class Intake:
    """Commits what waits in one transaction, again and again until the disk takes it.

    Args:
        outbox: open; used on the calling thread.
        clock: monotonic time for the waits.
        room: has a place returned for each booking that has become durable.
    """

    def __init__(self, outbox: Outbox, clock: Clock, room: threading.Semaphore) -> None:
        self._outbox = outbox
        self._clock = clock
        self._room = room
        self._batch: list[Booking] = []
        self._waiting: list[threading.Event] = []
        self._retry = Backoff(*_RETRY_S)
        self._retry_at_ns = 0
        self._trouble: str | None = None

    @property
    def trouble(self) -> str | None:
        """Why the last commit failed; None if it didn't."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """How many bookings are not on disk."""
        return len(self._batch)

    def take(self, booking: Booking) -> None:
        """Put a booking behind those that wait."""
        self._batch.append(booking)

    def tell_when_durable(self, done: threading.Event) -> None:
        """Set `done` when everything taken so far is on disk."""
        self._waiting.append(done)

    def wait_ns(self) -> int | None:
        """Return in how many ns a commit is due; None where nothing waits."""
        if not self._batch:
            return None
        return max(self._retry_at_ns - self._clock.monotonic_ns(), 0)

    def commit(self) -> Sequence[StoredMessage]:
        """Commit what waits, if it is time to; return what is newly stored.

        A failure keeps the batch as it is, is told by `trouble` and tried again later. Where the
        outbox is full, room is made, and told.
        """
        stored: list[StoredMessage] = []
        if self._batch:
            if self._clock.monotonic_ns() < self._retry_at_ns:
                return []
            try:
                stored = self._store()
            except FullError as error:
                return self._make_room(error)
            except StoreError as error:
                self._put_off(error)
                return []
        for done in self._waiting:
            done.set()
        self._waiting.clear()
        return stored

    def _store(self) -> list[StoredMessage]:
        announcements = [a for booking in self._batch for a in booking.announcements]
        state = {key: value for booking in self._batch for key, value in booking.state.items()}
        stored = self._outbox.commit(announcements, state)
        self._room.release(len(self._batch))
        self._batch.clear()
        self._retry.reset()
        if self._trouble is not None:
            _log.warning("the outbox takes messages again")
        self._trouble = None
        return stored

    def _make_room(self, full: FullError) -> Sequence[StoredMessage]:
        try:
            room = self._outbox.make_room()
        except StoreError as error:
            self._put_off(error)
            return []
        if room.told:
            _log.error("the outbox is full; messages were given up, %d so far", self._outbox.shed)
        if room.try_again:
            self._trouble = f"{full}; what matters least is given up"
        else:
            self._put_off(full)
        return room.told

    def _put_off(self, error: StoreError) -> None:
        if self._trouble is None:
            _log.error("nothing can be made durable: %s", error)
        self._trouble = str(error)
        self._retry_at_ns = self._clock.monotonic_ns() + self._retry.next_ns()
