"""A disk whose power can be cut: SQLite on a file system that keeps only what was synced.

`Disk` is an apsw VFS. Files are real; beside them it keeps what each looked like at its last sync
and every write since. At a cut each of those writes is kept, dropped or torn at 512 bytes by
chance, later ones without earlier ones too, and what is left is written out for the next start.
`LikeStdlib` makes an apsw connection look like one of `sqlite3`, so that the outbox runs on it
unchanged.
"""

import random
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import apsw

SECTOR_BYTES = 512

T = TypeVar("T")


@dataclass
class Medium:
    """A file on the platter: synced content, and writes that may or may not reach it."""

    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes]] = field(default_factory=list)
    exists_for_sure: bool = False

    def sync(self) -> None:
        for at, data in self.unsynced:
            _put(self.synced, at, data)
        self.unsynced.clear()
        self.exists_for_sure = True

    def after_cut(self, chance: random.Random) -> bytearray:
        left = bytearray(self.synced)
        for at, data in chance.sample(self.unsynced, len(self.unsynced)):
            fate = chance.random()
            if at < 0:
                if fate < 0.5:
                    del left[-at - 1 :]
            elif fate < 0.4:
                _put(left, at, data)
            elif fate < 0.7:
                for offset in range(0, len(data), SECTOR_BYTES):
                    if chance.random() < 0.5:
                        _put(left, at + offset, data[offset : offset + SECTOR_BYTES])
        return left


def _put(content: bytearray, at: int, data: bytes) -> None:
    if at < 0:  # a truncation, as (-length - 1)
        del content[-at - 1 :]
        return
    if len(content) < at + len(data):
        content.extend(bytes(at + len(data) - len(content)))
    content[at : at + len(data)] = data


class PowerLostError(Exception):
    """The writes that were allowed are used up."""


class Disk(apsw.VFS):
    """A VFS whose power goes after so many writes and syncs.

    Args:
        name: under which SQLite knows it; unique in the process.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.media: dict[str, Medium] = {}
        self.left: int | None = None
        self.failing: int | None = None
        super().__init__(name, "")

    def xOpen(self, name: apsw.URIFilename | str | None, flags: list[int]) -> "DiskFile":  # noqa: N802 - SQLite's name
        return DiskFile(self, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802, FBT001 - SQLite's signature
        self.spend()
        self.media.pop(name, None)
        super().xDelete(name, syncdir)

    def spend(self) -> None:
        """Use up one operation."""
        if self.failing is not None:
            raise apsw.IOError if self.failing == sqlite3.SQLITE_IOERR else apsw.FullError
        if self.left is not None:
            if self.left <= 0:
                raise PowerLostError
            self.left -= 1

    def cut(self, chance: random.Random) -> None:
        """Write to the real files what the platters hold; the machine is off."""
        for name, medium in self.media.items():
            Path(name).write_bytes(medium.after_cut(chance))
        self.media.clear()
        self.left = None


class DiskFile(apsw.VFSFile):
    """A file of a `Disk`: written through, and remembered."""

    def __init__(self, disk: Disk, name: apsw.URIFilename | str | None, flags: list[int]) -> None:
        self._disk = disk
        self._path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
        before = Path(self._path)
        medium = Medium(bytearray(before.read_bytes())) if before.exists() else Medium()
        self._medium = disk.media.setdefault(self._path, medium)
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.spend()
        self._medium.unsynced.append((offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.spend()
        self._medium.unsynced.append((-size - 1, b""))
        super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self._disk.spend()
        self._medium.sync()
        # The real disk needn't sync: the process lives on.
        del flags


class Rows(list[tuple[Any, ...]]):
    """What a statement gave, as much of a cursor as the outbox uses."""

    rowcount = -1

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self

    def fetchone(self) -> tuple[Any, ...] | None:
        return self[0] if self else None


class LikeStdlib:
    """An apsw connection that behaves like `sqlite3.Connection(isolation_level=None)`.

    Args:
        path: the database.
        disk: where it lies.
        synchronous: forced instead of what the outbox asks for; None leaves that alone.
    """

    def __init__(self, path: Path, disk: Disk, *, synchronous: str | None = None) -> None:
        self._connection = apsw.Connection(str(path), vfs=disk.name)
        self._synchronous = synchronous
        self.text_factory = None

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Rows:
        if self._synchronous is not None and "PRAGMA synchronous" in statement:
            statement = f"PRAGMA synchronous = {self._synchronous}"
        return self._run(lambda cursor: cursor.execute(statement, tuple(values)))

    def executemany(self, statement: str, many: Iterable[Sequence[Any]]) -> Rows:
        return self._run(lambda cursor: cursor.executemany(statement, [tuple(v) for v in many]))

    def executescript(self, script: str) -> Rows:
        return self.execute(script)

    def close(self) -> None:
        # As in the standard library, where closing never fails.
        try:
            self._connection.close()
        except apsw.Error:
            self._connection.close(force=True)

    def _run(self, run: Callable[[apsw.Cursor], Iterable[tuple[Any, ...]]]) -> Rows:
        before = self._connection.total_changes()
        rows = Rows(self._guard(lambda: list(run(self._connection.cursor()))))
        rows.rowcount = self._connection.total_changes() - before
        return rows

    @staticmethod
    def _guard(work: Callable[[], T]) -> T:
        try:
            return work()
        except apsw.Error as error:
            like = sqlite3.OperationalError(str(error))
            # An error that comes straight from our VFS has no number yet.
            plain = (
                sqlite3.SQLITE_FULL if isinstance(error, apsw.FullError) else sqlite3.SQLITE_IOERR
            )
            like.sqlite_errorcode = getattr(error, "extendedresult", plain)
            raise like from error
