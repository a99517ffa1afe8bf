"""The outbox's file while it is open, on disks that are full, ill, or taken away."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_daemon.clock import Clock
from edge_daemon.errors import StoreError
from edge_daemon.storage.database import (
    Connector,
    FullError,
    error_code,
    store_error,
    transaction,
)
from edge_daemon.storage.mark import Mark, Marked, read_mark
from edge_daemon.storage.pages import PAGE_BYTES
from edge_daemon.storage.recovery import Recovery, open_database, write_anew
from edge_daemon.storage.reserve import Reserve
from edge_daemon.storage.rows import Scribe

_log = logging.getLogger(__name__)

_MARGIN_BYTES: Final = 1 << 16
# After these the connection isn't trusted any more: the file is opened anew.
_SUSPECT: Final = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
_COUNT: Final = """
SELECT station.seq, station.commits,
    (SELECT count(*) FROM outbox WHERE fate = 'pending' AND confirmed_monotonic_ns IS NULL),
    (SELECT count(*) FROM outbox WHERE fate = 'dead'),
    (SELECT count(*) FROM outbox WHERE confirmed_monotonic_ns IS NOT NULL)
FROM station
"""


@dataclass(slots=True)
class Counts:
    """What is in the file, so that nobody has to count.

    Attributes:
        last_seq: the last number given.
        commits: bookings since the file was begun.
        pending: messages that wait.
        dead: messages given up until the next start.
        confirmed: messages that are kept for a moment.
    """

    last_seq: int = 0
    commits: int = 0
    pending: int = 0
    dead: int = 0
    confirmed: int = 0


class Store:
    """Owns the connection; for one thread.

    Args:
        path: the database file.
        clock: wall time, for the name of what is put aside.
        scribe: writes the account of what a damaged file has lost.
        max_bytes: the file grows no further.
        connector: opens a file with SQLite.

    Attributes:
        counts: as of the last transaction.
        recovery: what became of a database that couldn't be used; None is the rule.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        scribe: Scribe,
        max_bytes: int,
        connector: Connector,
    ) -> None:
        self.counts = Counts()
        self.recovery: Recovery | None = None
        self._path = path
        self._clock = clock
        self._scribe = scribe
        self._max_bytes = max_bytes
        self._connector = connector
        self._connection: sqlite3.Connection | None = None
        self._reserve = Reserve(path)
        self._mark = Mark(path, Marked())
        self._place: tuple[int, int] = (0, 0)
        self._suspect = False
        self._short_of_disk = False

    def open(self) -> None:
        """Open the file.

        Raises:
            StoreError: it can't be used, and nothing could be saved from it just now.
        """
        opened = open_database(
            self._path,
            max_bytes=self._max_bytes,
            scribe=self._scribe,
            now_ns=self._clock.now_ns(),
            at_least_seq=self.counts.last_seq,
            connector=self._connector,
        )
        self._connection = opened.connection
        self.recovery = opened.recovery or self.recovery
        self._suspect = False
        self.recount()
        self._begin_mark()
        self._reserve.take()

    def close(self) -> None:
        """Close the file; what is in the log goes into the file itself."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._suspect = False

    def opened(self) -> sqlite3.Connection:
        """Return the connection, a new one where the last isn't trusted any more.

        Raises:
            StoreError: the store is not open, or can't be opened again.
        """
        if self._suspect:
            self._reopen()
        if self._connection is None:
            raise StoreError(f"{self._path}: not open; use the outbox as a context manager")
        return self._connection

    def select(self, query: str, values: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query.

        Raises:
            StoreError: SQLite can't read them.
        """
        connection = self.opened()
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            self._judge(error)
            raise store_error(self._path, error) from error

    @contextmanager
    def booking(self, messages: int, wanted_bytes: int = 0) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction that adds to what is announced or claimed.

        Args:
            messages: how many numbers of the sequence it uses up.
            wanted_bytes: about as much room as it takes.

        Raises:
            FullError: no room in the file, or on the disk.
            StoreError: something else; nothing was changed.
        """
        if self._short_of_disk:
            if not self._reserve.take():
                raise FullError(f"{self._path}: the disk is full; free 5 MiB of it")
            self._short_of_disk = False
        self.opened()
        try:
            self._mark.rise_above(self.counts.last_seq + messages)
        except OSError as error:
            raise StoreError(f"{self._path}: {error.strerror}; check the disk") from error
        with self.writing(wanted_bytes) as connection:
            yield connection
            connection.execute(
                "UPDATE station SET seq = seq + ?, commits = commits + 1", (messages,)
            )
        self.change(pending=messages)
        self.counts.last_seq += messages
        self.counts.commits += 1
        # Without it only a log that gets lost would go unnoticed.
        with suppress(OSError):
            self._mark.note(self.counts.commits, self.counts.last_seq)

    @contextmanager
    def writing(self, wanted_bytes: int = 0) -> Iterator[sqlite3.Connection]:
        """Run a block as one transaction; on any error nothing of it stays.

        Raises:
            StoreError: SQLite couldn't; the transaction is rolled back.
        """
        connection = self.opened()
        if not self._is_in_place():
            connection = self._rescue(connection)
        try:
            with transaction(connection, self._path):
                yield connection
        except FullError:
            if not self.is_at_its_limit(wanted_bytes):
                self._relieve_disk(connection)
            raise
        except StoreError as error:
            if isinstance(error.__cause__, sqlite3.Error):
                self._judge(error.__cause__)
            raise

    def change(self, *, pending: int = 0, dead: int = 0, confirmed: int = 0) -> None:
        """Take note of what a transaction has changed."""
        self.counts.pending += pending
        self.counts.dead += dead
        self.counts.confirmed += confirmed

    def recount(self) -> None:
        """Count what is in the file.

        Raises:
            StoreError: SQLite can't read it.
        """
        self.counts = Counts(*map(int, self.select(_COUNT)[0]))

    def is_at_its_limit(self, wanted_bytes: int) -> bool:
        """Whether it is the limit of the file that keeps so much out, and not the disk."""
        pages = {
            name: int(self.select(f"PRAGMA {name}")[0][0])
            for name in ("max_page_count", "page_count", "freelist_count")
        }
        free = pages["max_page_count"] - pages["page_count"] + pages["freelist_count"]
        return free * PAGE_BYTES < 2 * wanted_bytes + _MARGIN_BYTES

    def _begin_mark(self) -> None:
        told = read_mark(self._path) or Marked()
        counts = self.counts
        self._mark = Mark(
            self._path,
            Marked(counts.commits, counts.last_seq, max(told.ceiling, counts.last_seq)),
        )
        try:
            self._mark.begin()
        except OSError as error:
            _log.warning("%s: no mark can be kept: %s", self._path, error.strerror)

    def _judge(self, error: sqlite3.Error) -> None:
        self._suspect |= error_code(error) in _SUSPECT

    def _reopen(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self.open()
        # What a failed sync left in the log may be in the system's memory only: written again.
        self.select("PRAGMA wal_checkpoint(TRUNCATE)")
        _log.warning("%s was opened anew", self._path)

    def _is_in_place(self) -> bool:
        try:
            status = self._path.stat()
        except OSError:
            return False
        if self._place == (0, 0):
            self._place = (status.st_dev, status.st_ino)
        return self._place == (status.st_dev, status.st_ino)

    def _rescue(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        write_anew(connection, self._path, self._clock.now_ns())
        connection.close()
        self._connection = None
        self._place = (0, 0)
        self.open()
        return self.opened()

    def _relieve_disk(self, connection: sqlite3.Connection) -> None:
        """Give the reserve up: then deleting works, and the broker can empty the file."""
        if not self._short_of_disk:
            _log.error("%s: the disk is full", self._path)
        self._short_of_disk = True
        self._reserve.give()
        with suppress(sqlite3.Error):
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
