"""Makes a recording whole again: what can still be read, in a new file with index and summary."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Final

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.losses import Losses
from edge_daemon.recordings.recording import (
    Entry,
    RecordedMessage,
    RecordedMetadata,
    RecordedTruth,
    read_entries,
)
from edge_daemon.recordings.sources import RECORDING_ENDINGS
from edge_daemon.recordings.writing import RecordingWriter

RECOVERING_SUFFIX: Final = ".recovering"


class NothingToRecoverError(RecordingError):
    """A recording was read to its end, and no frame in it is whole."""


@dataclass(slots=True)
class Recovery:
    """What came of it.

    Attributes:
        out: the new file.
        frames: messages in it.
        first_ns: when the earliest of them was received, ns since 1970 UTC; None without any.
        last_ns: when the latest was.
        losses: what of the old file was not as it was written. Messages that were whole in there
            are in the new file all the same.
    """

    out: Path
    frames: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    losses: Losses = field(default_factory=Losses)


def recovered_path(path: Path) -> Path:
    """Where the new file goes by default: ``line.mcap.part`` becomes ``line.recovered.mcap``."""
    name = path.name
    for ending in sorted(RECORDING_ENDINGS, key=len, reverse=True):
        name = name.removesuffix(ending)
    return path.with_name(f"{name}.recovered.mcap")


def recover(
    path: Path,
    out: Path,
    *,
    overwrite: bool = False,
    progress: Callable[[Recovery], None] = lambda _recovery: None,
) -> Recovery:
    """Write all of a recording that can be read into a new one; the old one is only read.

    Args:
        path: the broken recording.
        out: the new one; it gets its name when it is finished.
        overwrite: replace what is there under that name.
        progress: called after each message.

    Raises:
        NothingToRecoverError: there is no whole frame in it.
        RecordingError: it can't be read, or the new file can't be written.
    """
    recovery = Recovery(out)
    writer = RecordingWriter(out, overwrite=overwrite, sync_every_s=None, suffix=RECOVERING_SUFFIX)
    if any(_is_same_file(path, other) for other in (out, writer.part_path)):
        raise RecordingError(f"{path} itself would be written over: take another name with --out")
    entries = read_entries(path, recovery.losses, any_start=True)
    first = list(islice(entries, 1))  # before anything is written
    if not first:
        _require_frames(path, recovery)
    with writer:
        try:
            for entry in chain(first, entries):
                _copy(entry, writer, recovery)
                progress(recovery)
            _require_frames(path, recovery)
        except RecordingError:
            writer.part_path.unlink(missing_ok=True)
            raise
    return recovery


def _copy(entry: Entry, writer: RecordingWriter, recovery: Recovery) -> None:
    match entry:
        case RecordedMessage(parts, received_ns):
            writer.write(parts, received_ns)
            recovery.frames += 1
            known = [ns for ns in (recovery.first_ns, recovery.last_ns) if ns is not None]
            recovery.first_ns = min([*known, received_ns])
            recovery.last_ns = max([*known, received_ns])
        case RecordedTruth(data):
            writer.write_truth_text(data)
        case RecordedMetadata(name, fields):
            writer.write_metadata(name, fields)
        case _:
            return  # another program's, which knows what to do with it


def _require_frames(path: Path, recovery: Recovery) -> None:
    if not recovery.frames:
        why = recovery.losses if recovery.losses.count else "it is empty"
        raise NothingToRecoverError(f"{path.name}: no frame in it is whole ({why})")


def _is_same_file(path: Path, other: Path) -> bool:
    return other.exists() and path.exists() and path.samefile(other)
