"""Whole records out of an MCAP file that may be damaged, cut off or hostile.

Only the outline of a file is dealt with in here: where records begin and end, what is behind the
data, and what of it is missing. A record is never loaded before its length has been checked against
a limit and against what is there.
"""

import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile
from mcap.opcode import Opcode
from mcap.records import Channel, Footer, Statistics
from mcap.writer import MCAP0_MAGIC

from edge_daemon.errors import RecordingError

MAX_RECORD_BYTES = 136 * 2**20
"""The largest message that is kept, and the rest of the chunk that it ends."""
_MAX_SUMMARY_BYTES = 64 * 2**20
_RECORD_HEAD = struct.Struct("<BQ")
_FOOTER_BYTES = _RECORD_HEAD.size + 20 + len(MCAP0_MAGIC)
_MALFORMED = (EndOfFile, OverflowError, UnicodeDecodeError, struct.error)
_LOSSES_NAMED = 3


@dataclass(frozen=True, slots=True)
class Record:
    """An MCAP record.

    Attributes:
        offset: where it begins in its file or chunk.
        opcode: what it is.
        body: its bytes, without opcode and length.
        is_cut: the file ends before it does.
    """

    offset: int
    opcode: int
    body: bytes
    is_cut: bool = False

    @property
    def stream(self) -> ReadDataStream:
        """Its bytes, to be parsed; they can't run on into the next record."""
        return ReadDataStream(BytesIO(self.body))


class Losses:
    """What of a file can't be read; only the first few are kept in words."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def __str__(self) -> str:
        more = self.count - len(self._first)
        return "; ".join(self._first) + (f"; and {more} more" if more else "")

    def add(self, text: str) -> None:
        """Note a loss."""
        self.count += 1
        if len(self._first) < _LOSSES_NAMED:
            self._first.append(text)

    @contextmanager
    def noted(self, record: Record) -> Iterator[None]:
        """Note what is wrong with a record instead of failing on it; a cut is told elsewhere."""
        try:
            yield
        except (*_MALFORMED, RecordingError) as error:
            if not record.is_cut:
                self.add(f"what begins at byte {record.offset} is damaged ({error})")


def top_records(path: Path, losses: Losses) -> Iterator[Record]:
    """All records up to the end of the data; what is behind it is only an index.

    Raises:
        RecordingError: it can't be opened or isn't an MCAP file.
    """
    with _opened(path) as (file, size):
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise RecordingError(f"{path.name} is no recording: it doesn't begin as MCAP does")
        try:
            for record in scan(file, size):
                if record.opcode == Opcode.DATA_END:
                    return
                yield record
            losses.add(f"it was never finished and ends at byte {size}")
        except (RecordingError, OSError) as error:
            losses.add(f"cut off: {error}")


def scan(stream: BinaryIO, end: int) -> Iterator[Record]:
    """Walk over records, taking only what is there; the last one may be cut.

    Raises:
        RecordingError: a record reaches past `end` or is too large, or there are only zeros.
    """
    while (offset := stream.tell()) < end:
        head = stream.read(min(_RECORD_HEAD.size, end - offset))
        if len(head) < _RECORD_HEAD.size:
            raise RecordingError(f"half a record at byte {offset}")
        opcode, length = _RECORD_HEAD.unpack(head)
        if opcode == 0:
            raise RecordingError(f"nothing was written from byte {offset} on")
        if length > MAX_RECORD_BYTES:
            raise RecordingError(f"{length} bytes at {offset}, {MAX_RECORD_BYTES} is the most")
        missing = offset + _RECORD_HEAD.size + length - end
        if missing > 0:
            yield Record(offset, opcode, stream.read(end - stream.tell()), is_cut=True)
            raise RecordingError(f"the record at byte {offset} lacks its last {missing} bytes")
        yield Record(offset, opcode, stream.read(length))


def read_summary(path: Path) -> tuple[dict[int, Channel], Statistics | None]:
    """Channels and counts from behind the data; empty if the file was never finished.

    Raises:
        RecordingError: it can't be opened.
    """
    channels: dict[int, Channel] = {}
    statistics = None
    with _opened(path) as (file, size):
        try:
            start = _summary_start(file, size)
            file.seek(start)
            for record in scan(file, size - _FOOTER_BYTES) if start else ():
                if record.opcode == Opcode.CHANNEL:
                    channel = Channel.read(record.stream)
                    channels[channel.id] = channel
                elif record.opcode == Opcode.STATISTICS:
                    statistics = Statistics.read(record.stream)
        except (*_MALFORMED, RecordingError, OSError):
            return {}, None
    return channels, statistics


def _summary_start(file: BinaryIO, size: int) -> int:
    """Byte at which the summary begins, 0 where there is none."""
    if size < len(MCAP0_MAGIC) + _FOOTER_BYTES:
        return 0
    file.seek(size - _FOOTER_BYTES)
    tail = file.read(_FOOTER_BYTES)
    if tail[0] != Opcode.FOOTER or not tail.endswith(MCAP0_MAGIC):
        return 0
    start = Footer.read(ReadDataStream(BytesIO(tail[_RECORD_HEAD.size :]))).summary_start
    return start if size - _MAX_SUMMARY_BYTES <= start < size else 0


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """The file and its size; a pipe would keep us waiting for ever."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RecordingError(f"{path} is no file")
        file = path.open("rb")
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror}") from error
    with file:
        yield file, status.st_size
