"""The outbox's SQLite file: its schema, and the settings under which it keeps what it is given."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

from edge_daemon.errors import StoreError
from edge_daemon.storage.pages import PAGE_BYTES

SCHEMA_VERSION: Final = 2


class Connector(Protocol):
    """Opens a file with SQLite."""

    def __call__(self, path: Path, *, read_only: bool = False) -> sqlite3.Connection:
        """Return a connection; errors of the file come with the first statement."""
        ...


_JOURNAL_BYTES: Final = 8 << 20
_LEAST_PAGES: Final = 16
USELESS: Final = frozenset(
    # The last is what a table says that isn't as it should be.
    {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_FORMAT}
)
_WRITABLE: Final = (
    "make the state directory writable for the daemon's user; a file system that has turned"
    " read-only by itself (dmesg) wants fsck, and a restart of the daemon"
)
_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "free disk space, or let the outbox drain by bringing the broker back",
    sqlite3.SQLITE_BUSY: "another program has it open (`fuser FILE` names it): if that is an"
    " edge-daemon, stop it or give this one its own state directory",
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_CANTOPEN: _WRITABLE,
    sqlite3.SQLITE_IOERR: "see whether the disk is full (df) or failing (dmesg, SMART)",
    sqlite3.SQLITE_CORRUPT: "what is readable is saved into a new file",
}
_CREATE: Final = """
BEGIN;
CREATE TABLE outbox (
    seq INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    topic TEXT NOT NULL,
    retain INTEGER NOT NULL CHECK (retain IN (0, 1)),
    payload BLOB NOT NULL,
    created_ns INTEGER NOT NULL,
    arrived_monotonic_ns INTEGER,
    fate TEXT NOT NULL DEFAULT 'pending' CHECK (fate IN ('pending', 'dead')),
    reason TEXT CHECK ((fate = 'dead') = (reason IS NOT NULL))
) STRICT;
CREATE TABLE station (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO station (one, seq) VALUES (1, 0);
"""
# Version 1 ends here. A column at the end costs nothing, however full the outbox is.
_ADD: Final = """
ALTER TABLE outbox ADD COLUMN confirmed_monotonic_ns INTEGER;
ALTER TABLE outbox ADD COLUMN weight INTEGER NOT NULL DEFAULT 4;
ALTER TABLE station ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;
PRAGMA user_version = 2;
COMMIT;
"""
_COLUMNS: Final = {
    "outbox": "seq, message_id, topic, retain, payload, created_ns, arrived_monotonic_ns, fate,"
    " reason, confirmed_monotonic_ns, weight",
    "station": "one, seq, commits",
    "state": "key, value",
}
_NEW: Final = frozenset({"confirmed_monotonic_ns", "weight", "commits"})


class UnusableDatabaseError(StoreError):
    """What lies there can't be used: damaged, forgetful, or written by a newer daemon."""


class FullError(StoreError):
    """The file may not grow any further, or the disk has no room."""


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """Turn SQLite's error into ours, with what the operator can do about it."""
    code = error_code(error)
    remedy = _REMEDIES.get(code, "check the disk and the permissions of the state directory")
    kind = FullError if code == sqlite3.SQLITE_FULL else StoreError
    return kind(f"{path}: {error}; {remedy}")


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """Run a block as one transaction; on any error nothing of it stays.

    Raises:
        StoreError: SQLite couldn't; the transaction is rolled back.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    finally:
        # SQLite itself has rolled back after some errors, a full disk among them.
        if connection.in_transaction:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a file with the SQLite of the standard library."""
    mode = "ro" if read_only else "rwc"
    if not read_only:  # coils and defects are nobody else's business; the log gets the same mode
        os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=0
    )
    # A flipped bit in a text must not keep everything else from being read.
    connection.text_factory = lambda text: text.decode(errors="replace")
    return connection


def check(connection: sqlite3.Connection) -> tuple[int, int]:
    """Look a file through from end to end.

    Returns:
        how many bookings it knows of, and the last number of the sequence.

    Raises:
        UnusableDatabaseError: it is damaged, or of a newer daemon.
        sqlite3.Error: it can't be read, or is somebody else's.
    """
    findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise UnusableDatabaseError(f"damaged: {'; '.join(findings)}")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if not 0 <= version <= SCHEMA_VERSION:
        raise UnusableDatabaseError(f"schema {version} is newer than {SCHEMA_VERSION}")
    tables = int(connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0])
    if version == 0 and tables == 0:
        return 0, 0
    for table, columns in _COLUMNS.items():
        known = [name for name in columns.split(", ") if version > 1 or name not in _NEW]
        connection.execute(f"SELECT {', '.join(known)} FROM {table} LIMIT 1")  # noqa: S608 - constants
    commits = "commits" if version > 1 else "0"
    row = connection.execute(f"SELECT {commits}, seq FROM station").fetchone()  # noqa: S608 - constants
    if row is None:
        raise UnusableDatabaseError("it has no sequence")
    return int(row[0]), int(row[1])


def prepare(connection: sqlite3.Connection, max_bytes: int) -> None:
    """Make a connection keep what it is given, and the file be of this version.

    Raises:
        sqlite3.Error: it can't be read or written, or is in use.
    """
    # Exclusive before WAL: then there is no shared-memory file, and a second opener is refused.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    # What was deleted is overwritten, so that it can't come back out of a damaged file.
    connection.execute("PRAGMA secure_delete = ON").fetchone()
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}").fetchone()
    # WAL takes the lock for good only with the first write.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    pages = max(max_bytes // PAGE_BYTES, _LEAST_PAGES)
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchone()
    _bring_up_to_date(connection)


def create(connection: sqlite3.Connection) -> None:
    """Make the tables in an empty file."""
    connection.executescript(_CREATE + _ADD)


def _bring_up_to_date(connection: sqlite3.Connection) -> None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version == 0:
        create(connection)
    elif version == 1:
        connection.executescript(f"BEGIN;{_ADD}")


def error_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code."""
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)) & 0xFF
