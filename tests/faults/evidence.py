"""What a station leaves behind: its outbox and its books, read off the disk after the fact."""

import json
import shutil
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeAlias

Message: TypeAlias = Mapping[str, Any]
"""What a subscriber got, as it came: the payload."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the daemon bound itself to tell.

    Attributes:
        last_seq: every number up to it was given to a message.
        ids: id by number, as far as they are known: from the outbox, or as announced.
        waiting: numbers that are still to be delivered, or were given up for now.
    """

    last_seq: int = 0
    ids: Mapping[int, str] = field(default_factory=dict)
    waiting: frozenset[int] = frozenset()

    def joined(self, later: Self) -> Self:
        """Add what was seen later: what waited before counts as gone unless it still waits.

        Raises:
            ValueError: a number has two ids, or the numbers went back: then no judgement is needed.
        """
        both = self.ids.keys() & later.ids.keys()
        twice = [seq for seq in both if self.ids[seq] != later.ids[seq]]
        if twice:
            raise ValueError(f"number {twice[0]} was given to two messages")
        if later.last_seq < self.last_seq:
            raise ValueError(f"the sequence went back from {self.last_seq} to {later.last_seq}")
        return type(self)(later.last_seq, {**self.ids, **later.ids}, later.waiting)


def read_outbox(path: Path, scratch: Path) -> Announced:
    """Read a dead daemon's outbox, from a copy: opening the file would tidy up after the crash.

    Args:
        path: the database; its `-wal` is read with it.
        scratch: folder for the copy.
    """
    copy = scratch / "outbox-copy.sqlite3"
    for suffix in ("", "-wal"):
        source, target = path.with_name(path.name + suffix), copy.with_name(copy.name + suffix)
        target.unlink(missing_ok=True)
        if source.exists():
            shutil.copyfile(source, target)
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute(
            "SELECT seq, message_id, confirmed_monotonic_ns IS NULL FROM outbox"
        ).fetchall()
        (last_seq,) = connection.execute("SELECT seq FROM station").fetchone()
    waiting = frozenset(seq for seq, _, waits in rows if waits)
    return Announced(last_seq, {seq: message_id for seq, message_id, _ in rows}, waiting)


def read_state(path: Path) -> dict[str, Any]:
    """Read the pipeline's documents out of a daemon's outbox that has stopped in order."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT key, value FROM state").fetchall()
    return {key: json.loads(value) for key, value in rows}


def rows_inspected(state: Mapping[str, Any]) -> dict[str, int]:
    """Rows by camera that the books say were looked at, since they were begun.

    /metrics dies with its process; this is on disk.

    Args:
        state: the pipeline's documents, from `read_state`.
    """
    key = "camera/"
    books = {name.removeprefix(key): book for name, book in state.items() if name.startswith(key)}
    return {camera: int(book["lines_inspected"]) for camera, book in books.items()}


def once(messages: Iterable[Message]) -> list[Message]:
    """Each message once, as a subscriber that minds the ids sees them."""
    return list({message["id"]: message for message in messages}.values())
