"""Opening the outbox's file, or saving what is left of one that can't be used.

A file that can't be used is never deleted. What is readable goes into a new file, and only when
that is complete the damaged one is renamed, and the new one takes its place: killed in between,
the next start begins again or finishes.

A file of a newer daemon is treated the same: messages in it are finished bytes that any version can
send, and a station that refuses to start after a downgrade would be blind, with alerts unsent. What
the newer daemon knew and this one doesn't stays in the file put aside.
"""

import logging
import os
import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from edge_daemon.core.envelope import Announcement
from edge_daemon.errors import StoreError
from edge_daemon.storage.database import (
    USELESS,
    Connector,
    UnusableDatabaseError,
    check,
    connect,
    create,
    error_code,
    prepare,
    store_error,
    transaction,
)
from edge_daemon.storage.mark import Marked, read_mark
from edge_daemon.storage.pages import PAGE_BYTES
from edge_daemon.storage.rows import Scribe, insert
from edge_daemon.storage.salvage import Salvage, salvage

_log = logging.getLogger(__name__)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Recovery:
    """What became of a database that couldn't be used.

    Attributes:
        reason: why it couldn't.
        aside: where it lies now; None where there was nothing left of it.
        messages: how many were read out of it and wait to be sent.
        documents: how many of the pipeline's documents were read out of it.
        seq_is_known: whether the sequence goes on behind the last number given; else a gap was
            left, so that no number is given twice.
    """

    reason: str
    aside: Path | None
    messages: int
    documents: int
    seq_is_known: bool

    def __str__(self) -> str:
        place = "it was gone" if self.aside is None else f"put aside as {self.aside}"
        text = f"{self.reason}; {place}; {self.messages} messages saved"
        return text if self.seq_is_known else f"{text}; the last seq is not known"


@dataclass(frozen=True, slots=True)
class Opened:
    """A database that can be used.

    Attributes:
        connection: the only one to it.
        recovery: where the one that lay there couldn't be used.
    """

    connection: sqlite3.Connection
    recovery: Recovery | None


def open_database(
    path: Path,
    *,
    max_bytes: int,
    scribe: Scribe,
    now_ns: int,
    at_least_seq: int = 0,
    connector: Connector = connect,
) -> Opened:
    """Open the file, or a new one with all that could be saved from one that can't be used.

    Args:
        path: the file; its folder is made where it is missing.
        max_bytes: limit that SQLite keeps the file under.
        scribe: writes the account of what was lost.
        now_ns: wall time, for the name of what is put aside.
        at_least_seq: the last number given, where the caller knows.
        connector: opens a file with SQLite.

    Raises:
        StoreError: locked by another process, not writable, out of space.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _finish_exchange(path, now_ns)
        try:
            return Opened(_open(path, max_bytes, connector), None)
        except UnusableDatabaseError as trouble:
            _log.critical("%s: %s", path, trouble)
            found = salvage(path, at_least_seq=at_least_seq)
            _pour(found, _made_path(path), scribe, connector)
            aside = put_aside(path, now_ns)
            _take_place(path)
            recovery = Recovery(
                str(trouble), aside, len(found.rows), len(found.documents), found.seq_is_known
            )
        return Opened(_open(path, max_bytes, connector), recovery)
    except sqlite3.Error as error:
        raise store_error(path, error) from error
    except PermissionError as error:
        raise StoreError(
            f"{error.filename}: {error.strerror}; it and its folder have to belong to the daemon's"
            " user (`chown -R`): was something put there as root?"
        ) from error
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; make its folder writable") from error


def _open(path: Path, max_bytes: int, connector: Connector) -> sqlite3.Connection:
    try:
        _check(path, connector)
        connection = connector(path)
        try:
            prepare(connection, max_bytes)
        except sqlite3.DatabaseError:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        if error_code(error) in USELESS:
            raise UnusableDatabaseError(str(error)) from error
        raise
    return connection


def _check(path: Path, connector: Connector) -> None:
    """Raise UnusableDatabaseError where the database is damaged or knows less than it once did.

    Read-only: a connection that may write plays the log into the file when it is closed, and
    deletes it, with whatever stands in it behind a damage.
    """
    mark = read_mark(path) or Marked()
    log = path.with_name(f"{path.name}-wal")
    file_bytes, log_bytes, has_log = _size(path), _size(log), log.exists()
    if not file_bytes and not log_bytes:
        if mark.commits:
            raise UnusableDatabaseError("it is empty or gone")
        return
    if file_bytes < PAGE_BYTES:
        # SQLite would delete the log of a file that has nothing in it.
        raise UnusableDatabaseError("nothing but its log is left")
    connection = connector(path, read_only=True)
    try:
        commits, seq = check(connection)
    finally:
        connection.close()
        path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
        if not has_log:
            log.unlink(missing_ok=True)
    if commits < mark.commits or seq < mark.seq:
        raise UnusableDatabaseError(
            f"it knows {commits} bookings, up to message {seq}; {mark.commits} were committed, up"
            f" to message {mark.seq}: its log was lost, or an old copy put in its place"
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _pour(found: Salvage, path: Path, scribe: Scribe, connector: Connector) -> None:
    connection = connector(path)
    try:
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = FULL")
        create(connection)
        with transaction(connection, path):
            account = scribe.write(Announcement(found.loss()), found.seq + 1)
            insert(connection, [*(row for _, row in sorted(found.rows.items())), account])
            connection.execute(
                "UPDATE station SET seq = ?, commits = ?", (found.seq + 1, found.commits + 1)
            )
            connection.executemany("INSERT INTO state VALUES (?, ?)", found.documents.items())
    finally:
        connection.close()


def _finish_exchange(path: Path, now_ns: int) -> None:
    """Go on where a recovery was killed: between the damaged file's going and the new one's coming.

    A new one beside a damaged one that is still there isn't complete, for all we know.
    """
    made = _made_path(path)
    if not made.exists():
        return
    if path.exists():
        for leftover in (made, made.with_name(f"{made.name}-wal")):
            leftover.unlink(missing_ok=True)
    else:
        put_aside(path, now_ns)
        _take_place(path)


def _take_place(path: Path) -> None:
    _made_path(path).rename(path)
    _sync(path.parent)


def _made_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-saved")


def put_aside(path: Path, now_ns: int) -> Path | None:
    """Rename a database and its log; return the file's new name, None where there was nothing."""
    moment = _EPOCH + timedelta(seconds=now_ns // 1_000_000_000)
    stamp = f"{moment:%Y%m%dT%H%M%S}.{now_ns % 1_000_000_000:09d}Z"
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    names = [("", aside), ("-wal", aside.with_name(f"{aside.name}-wal"))]
    moved = False
    # The file first: what was committed last is only in the log, which is found by the file's name.
    for suffix, target in names:
        source = path.with_name(f"{path.name}{suffix}")
        if source.exists():
            source.rename(target)
            moved = True
    return aside if moved else None


def write_anew(connection: sqlite3.Connection, path: Path, now_ns: int) -> None:
    """Write a database to its place again, out of the open file that has lost its name.

    Raises:
        StoreError: the folder can't be made, or not be written to.
    """
    _log.critical("%s has been taken away; it is written anew", path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        put_aside(path, now_ns)
        made = path.with_name(f"{path.name}-rescued")
        made.unlink(missing_ok=True)
        connection.execute("VACUUM INTO ?", (str(made),))
        _sync(made)
        made.rename(path)
        _sync(path.parent)
    except OSError as error:
        raise StoreError(
            f"{path} has been taken away, and can't be written again: {error.strerror}; let the"
            " daemon's user write there"
        ) from error
    except sqlite3.Error as error:
        raise store_error(path, error) from error


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
