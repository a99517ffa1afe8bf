"""A few numbers beside the outbox that tell when it has lost its memory.

SQLite can't know that its log was deleted or cut off: it takes what is there for all there ever
was, and the sequence would go back without a word. So how many bookings were committed, and the
last `seq` among them, is also kept in a file of its own, written after each commit and not synced:
what stands there was committed, always. A database that knows of less has lost something.

For a power cut, which may take back what was not synced, there is the ceiling: a number that the
sequence stays below, raised in steps of a thousand, and synced. A sequence that has to go on
without knowing where it was goes on from there.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_STEP: Final = 1000
_FORM: Final = re.compile(r"commits (\d{19}) seq (\d{19}) ceiling (\d{19})\n")


@dataclass(frozen=True, slots=True)
class Marked:
    """What a mark says.

    Attributes:
        commits: at least so many bookings were committed.
        seq: the last number among them.
        ceiling: no number above it was ever given.
    """

    commits: int = 0
    seq: int = 0
    ceiling: int = 0


def mark_path(database: Path) -> Path:
    """Return where the mark of a database lies."""
    return database.with_name(f"{database.name}-mark")


def read_mark(database: Path) -> Marked | None:
    """Return what the mark says; None where there is none or it can't be read."""
    try:
        found = _FORM.fullmatch(mark_path(database).read_text(errors="replace"))
    except OSError:
        return None
    return Marked(*map(int, found.groups())) if found else None


class Mark:
    """The mark of an open outbox.

    Args:
        database: whose.
        marked: what is true now.

    Raises:
        OSError: it can't be written.
    """

    def __init__(self, database: Path, marked: Marked) -> None:
        self._path = mark_path(database)
        self._marked = marked

    def begin(self) -> None:
        """Write the mark and make it durable."""
        self._write(self._marked, synced=True)

    def rise_above(self, seq: int) -> None:
        """Make the ceiling durable before a number above it is given."""
        if seq > self._marked.ceiling:
            self._write(Marked(self._marked.commits, self._marked.seq, seq + _STEP), synced=True)

    def note(self, commits: int, seq: int) -> None:
        """Write down what was just committed."""
        self._write(Marked(commits, seq, max(self._marked.ceiling, seq)), synced=False)

    def _write(self, marked: Marked, *, synced: bool) -> None:
        text = (
            f"commits {marked.commits:019d} seq {marked.seq:019d} ceiling {marked.ceiling:019d}\n"
        )
        # In place and always of the same length: needs no room on a disk that is full.
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.pwrite(handle, text.encode(), 0)
            if synced:
                os.fsync(handle)
        finally:
            os.close(handle)
        self._marked = marked
