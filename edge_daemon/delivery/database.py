"""Opening the outbox's SQLite file so that it keeps what it is given, or putting it aside."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from edge_daemon.errors import StoreError

SCHEMA_VERSION = 1

_PAGE_BYTES = 4096
_JOURNAL_BYTES = 8 << 20
_USELESS = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_REMEDIES = {
    sqlite3.SQLITE_FULL: "free disk space, or let the outbox drain by bringing the broker back",
    sqlite3.SQLITE_BUSY: "another edge-daemon has it open: stop that one, or give this one its own"
    " state directory",
    sqlite3.SQLITE_READONLY: "make the state directory writable for the daemon's user",
    sqlite3.SQLITE_CANTOPEN: "make the state directory writable for the daemon's user",
    sqlite3.SQLITE_IOERR: "check the disk (dmesg, SMART) and its free space",
    sqlite3.SQLITE_CORRUPT: "restart the daemon: it puts the file aside and starts a new one",
}
_CREATE = """
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
PRAGMA user_version = {version};
COMMIT;
"""


class UnusableDatabaseError(StoreError):
    """What lies there can't be used: damaged, or written by a newer daemon."""


def store_error(path: Path, error: sqlite3.Error) -> StoreError:
    """Turn SQLite's error into ours, with what the operator can do about it."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    remedy = _REMEDIES.get(code, "check the disk and the permissions of the state directory")
    return StoreError(f"{path}: {error}; {remedy}")


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


def open_database(
    path: Path, *, max_bytes: int, now_ns: int
) -> tuple[sqlite3.Connection, Path | None]:
    """Open the file, or a new one after putting aside one that can't be used.

    Args:
        path: the file; its folder is made where it is missing.
        max_bytes: limit that SQLite keeps the file under.
        now_ns: wall time, for the name of what is put aside.

    Returns:
        the connection, and where the unusable file went.

    Raises:
        StoreError: locked by another process, not writable, out of space.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return _connect(path, max_bytes), None
        except UnusableDatabaseError:
            aside = _put_aside(path, now_ns)
        return _connect(path, max_bytes), aside
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make its folder writable") from error


def _connect(path: Path, max_bytes: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    try:
        _prepare(connection, max_bytes)
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF in _USELESS:
            raise UnusableDatabaseError(f"{path}: {error}") from error
        raise
    except UnusableDatabaseError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, max_bytes: int) -> None:
    # Exclusive before WAL: then there is no shared-memory file, and a second opener is refused.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {_JOURNAL_BYTES}")
    # WAL takes the lock for good only with the first write.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("COMMIT")
    connection.execute(f"PRAGMA max_page_count = {max(max_bytes // _PAGE_BYTES, 16)}")
    findings = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)")]
    if findings != ["ok"]:
        raise UnusableDatabaseError(f"damaged: {'; '.join(findings)}")
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > SCHEMA_VERSION:
        raise UnusableDatabaseError(f"schema {version} is newer than {SCHEMA_VERSION}")
    if version == 0:
        connection.executescript(_CREATE.format(version=SCHEMA_VERSION))


def _put_aside(path: Path, now_ns: int) -> Path:
    moment = datetime.fromtimestamp(now_ns // 1_000_000_000, tz=UTC)
    stamp = f"{moment:%Y%m%dT%H%M%S}.{now_ns % 1_000_000_000:09d}Z"
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    path.rename(aside)
    # What was committed last may only be in the log, which SQLite finds by this name.
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        log.rename(aside.with_name(f"{aside.name}-wal"))
    return aside
