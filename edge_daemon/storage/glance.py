"""A look at an outbox from outside, while a daemon may have it open."""

import fcntl
import os
import shutil
import sqlite3
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_daemon.errors import StoreError
from edge_daemon.storage.database import UnusableDatabaseError, check, connect

_MOST_COPIED_BYTES: Final = 256 << 20
# SQLite's locks are on bytes from here on (`PENDING_BYTE` in its os.h).
_LOCK_START: Final = 0x40000000
_LOCK_BYTES: Final = 512
_FLOCK: Final = "hhqqi4x"


@dataclass(frozen=True, slots=True)
class Glance:
    """What was seen.

    Attributes:
        in_use: a daemon has it open.
        size_bytes: of the file and its log.
        last_seq: the last number given; None where nobody looked inside.
        pid: of the daemon; None without one, or where it is hidden from us.
    """

    in_use: bool
    size_bytes: int
    last_seq: int | None
    pid: int | None = None

    def __str__(self) -> str:
        size = f"{self.size_bytes / 2**20:.1f} MiB"
        if self.in_use:
            return f"in use by a running daemon, {size}"
        return size if self.last_seq is None else f"sound, {size}, last message {self.last_seq}"


def glance(path: Path) -> Glance | None:
    """Look at an outbox; None where there is none yet.

    Nothing is written and no lock is taken: one that a daemon has open is only measured, any other
    is looked through as a copy.

    Args:
        path: the database file.

    Raises:
        StoreError: the daemon would have to put it aside, or can't read it.
    """
    log = path.with_name(f"{path.name}-wal")
    try:
        if not path.exists():
            return None
        size_bytes = sum(file.stat().st_size for file in (path, log) if file.exists())
        if (holder := _holder(path)) is not None:
            return Glance(in_use=True, size_bytes=size_bytes, last_seq=None, pid=holder or None)
        if not size_bytes or size_bytes > _MOST_COPIED_BYTES:
            return Glance(in_use=False, size_bytes=size_bytes, last_seq=None)
        with tempfile.TemporaryDirectory() as folder:
            for file in (path, log):
                if file.exists():
                    shutil.copy(file, folder)
            last_seq = _last_seq(Path(folder) / path.name)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; run this as the user of the daemon") from error
    except (sqlite3.Error, UnusableDatabaseError) as error:
        raise StoreError(
            f"{path}: {error}; the daemon will put it aside and save what is readable"
        ) from error
    return Glance(in_use=False, size_bytes=size_bytes, last_seq=last_seq)


def _last_seq(copy: Path) -> int:
    connection = connect(copy)
    try:
        return check(connection)[1]
    finally:
        connection.close()


def _holder(path: Path) -> int | None:
    """The process that holds one of SQLite's locks; 0 for one that we can't see."""
    handle = os.open(path, os.O_RDONLY)
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, _LOCK_START, _LOCK_BYTES, 0)
        answer = struct.unpack(_FLOCK, fcntl.fcntl(handle, fcntl.F_GETLK, asked))
    finally:
        os.close(handle)
    return None if answer[0] == fcntl.F_UNLCK else max(int(answer[4]), 0)
