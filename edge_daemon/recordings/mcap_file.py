"""Records out of an MCAP file that may be damaged, cut off or hostile.

A record is never loaded before its length has been held against a limit and against what is there,
and no more than one is in memory at a time. Where the file is not as it was written, messages that
are whole by their own checksum are still found, and reading goes on with the next chunk.
"""

import struct
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcap.opcode import Opcode
from mcap.records import Statistics
from mcap.writer import MCAP0_MAGIC

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.fields import MALFORMED, Channel, parse_channel, stream_of
from edge_daemon.recordings.losses import Losses
from edge_daemon.recordings.records import HEAD, FileBytes, Record, opened
from edge_daemon.recordings.salvage import Salvage

MAX_RECORD_BYTES: Final = 136 * 2**20
"""The largest message that is kept, with the chunk around it."""
_MAX_SUMMARY_BYTES: Final = 64 * 2**20
_MAX_STATISTICS_BYTES: Final = 2**20
_READ_BYTES: Final = 2**20
_FOOTER = struct.Struct("<QQI")
_FOOTER_BYTES: Final = HEAD.size + _FOOTER.size + len(MCAP0_MAGIC)
_CHUNK_HEAD = struct.Struct("<QQQII")
_SIZE = struct.Struct("<Q")
_LONGEST_NAME: Final = 32
_KNOWN = frozenset(int(opcode) for opcode in Opcode)
_LOADED = frozenset((Opcode.CHANNEL, Opcode.MESSAGE, Opcode.METADATA))
_INDEX_HEAD = struct.Struct("<HI")
_INDEX_ENTRY_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Head:
    """Where a record stands, and what it says it is."""

    offset: int
    opcode: int
    length: int

    @property
    def body_at(self) -> int:
        return self.offset + HEAD.size

    @property
    def end(self) -> int:
        return self.body_at + self.length


def read_records(path: Path, losses: Losses, *, any_start: bool = False) -> Iterator[Record]:
    """All channels, messages and metadata up to the end of the data, in the order of the file.

    What is behind the data is only an index.

    Args:
        path: the file.
        losses: what can't be read is put in here.
        any_start: read on though the file doesn't begin as MCAP does.

    Raises:
        RecordingError: it can't be opened or isn't an MCAP file.
    """
    with opened(path) as file, _reading(path):
        if file.read(0, len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            why = f"{path.name} is no recording: it doesn't begin as MCAP does"
            if not any_start:
                raise RecordingError(why)
            losses.add(0, min(len(MCAP0_MAGIC), file.size), why=why)
        yield from _Walk(file, losses).records()


class _Walk:
    """One way through a file, from the first record to the end of the data."""

    def __init__(self, file: FileBytes, losses: Losses) -> None:
        self._file = file
        self._losses = losses
        self._salvage = Salvage(file)

    def records(self) -> Iterator[Record]:
        at = len(MCAP0_MAGIC)
        while at < self._file.size:
            head = self._head(at)
            if head is None:
                self._losses.add(at, self._file.size, why=f"half a record at byte {at}")
                return
            chunk = self._chunk_bounds(head)
            if chunk is not None and head.opcode == Opcode.CHUNK:
                at = yield from self._chunk(head, *chunk)
            elif chunk is not None or not self._is_intact(head):
                at = yield from self._resync(head)
            elif head.opcode == Opcode.DATA_END:
                return
            else:
                yield from self._single(head)
                at = head.end
        if not self._losses.count:
            self._losses.add(at, at, why=f"it was never finished and ends at byte {at}")

    def _head(self, at: int) -> _Head | None:
        head = self._file.read(at, HEAD.size)
        return _Head(at, *HEAD.unpack(head)) if len(head) == HEAD.size else None

    def _resync(self, head: _Head) -> Generator[Record, None, int]:
        """Go on behind a place where no record is."""
        at = yield from self._salvage.search(head.offset + 1, self._file.size, chunks=True)
        if head.opcode == 0:
            why = f"nothing was written from byte {head.offset} on"
        elif at < self._file.size:
            why = f"what begins at byte {head.offset} is damaged"
        elif head.length > MAX_RECORD_BYTES:
            why = f"{head.length} bytes at {head.offset}, {MAX_RECORD_BYTES} is the most"
        else:
            why = f"the record at byte {head.offset} is damaged or cut off"
        self._losses.add(head.offset, at, why=why)
        return at

    def _single(self, head: _Head) -> Iterator[Record]:
        """A record outside of chunks; what nobody asks for isn't loaded."""
        if head.opcode not in _LOADED:
            return
        if head.length > MAX_RECORD_BYTES:
            why = f"{head.length} bytes at {head.offset}, {MAX_RECORD_BYTES} is the most"
            self._losses.add(head.offset, head.end, why=why)
            return
        body = memoryview(self._file.read(head.body_at, head.length))
        yield Record(head.offset, head.opcode, body)

    def _is_intact(self, head: _Head) -> bool:
        """Whether a record ends where another begins, or where the file does."""
        if head.end > self._file.size or head.opcode not in _KNOWN - {Opcode.CHUNK}:
            return False
        if head.opcode == Opcode.MESSAGE_INDEX and not self._is_index(head):
            return False
        return self._leads_on(head.end)

    def _leads_on(self, at: int) -> bool:
        """Whether a record begins there, or nothing."""
        head = self._head(at)
        return head is None or head.opcode in _KNOWN or (head.opcode, head.length) == (0, 0)

    def _is_index(self, head: _Head) -> bool:
        fields = self._file.read(head.body_at, _INDEX_HEAD.size)
        if len(fields) < _INDEX_HEAD.size or head.length < _INDEX_HEAD.size:
            return False
        _, length = _INDEX_HEAD.unpack(fields)
        return bool(_INDEX_HEAD.size + length == head.length and length % _INDEX_ENTRY_BYTES == 0)

    def _chunk_bounds(self, head: _Head) -> tuple[int, int, str] | None:
        """Where a chunk's data begins, its checksum and its compression; None: lengths disagree."""
        if head.length < _CHUNK_HEAD.size + _SIZE.size:
            return None
        fixed = self._file.read(head.body_at, _CHUNK_HEAD.size)
        if len(fixed) < _CHUNK_HEAD.size:
            return None
        _, _, size, checksum, name_length = _CHUNK_HEAD.unpack(fixed)
        if name_length > _LONGEST_NAME:
            return None
        name_at = head.body_at + _CHUNK_HEAD.size
        named = self._file.read(name_at, name_length + _SIZE.size)
        if len(named) < name_length + _SIZE.size:
            return None
        name, (stored,) = named[:name_length], _SIZE.unpack(named[name_length:])
        data_at = name_at + len(named)
        if data_at + stored != head.end or (not name and stored != size):
            return None
        return data_at, checksum, name.decode("ascii", "replace")

    def _chunk(
        self, head: _Head, data_at: int, checksum: int, compression: str
    ) -> Generator[Record, None, int]:
        end = min(head.end, self._file.size)
        if compression:
            why = "it is compressed: run `mcap decompress IN.mcap --output OUT.mcap`"
        elif head.length > MAX_RECORD_BYTES:
            why = f"{head.length} bytes at {head.offset}, {MAX_RECORD_BYTES} is the most"
        else:
            data = self._file.read(data_at, end - data_at)
            if end == head.end and checksum in (0, zlib.crc32(data)):
                yield from self._sound_chunk(memoryview(data), data_at)
                return end
            del data  # the largest there may be: not twice at a time
            why = f"the chunk at byte {head.offset} has the wrong checksum"
            if end < head.end:
                why = f"the chunk at byte {head.offset} lacks its last {head.end - end} bytes"
            goes_on = self._leads_on(end)  # else there are not as many bytes in it as there were
            end = yield from self._salvage.search(
                data_at, end if goes_on else self._file.size, chunks=not goes_on
            )
        self._losses.add(head.offset, end, why=why)
        return end

    def _sound_chunk(self, data: memoryview, data_at: int) -> Iterator[Record]:
        at = 0
        while at < len(data):
            opcode, length = 0, len(data)
            if at + HEAD.size <= len(data):
                opcode, length = HEAD.unpack_from(data, at)
            end = at + HEAD.size + length
            if end > len(data):
                why = f"a record at byte {data_at + at} reaches out of its chunk"
                self._losses.add(data_at + at, data_at + len(data), why=why)
                return
            if opcode in _LOADED:
                yield Record(data_at + at, opcode, data[at + HEAD.size : end])
            at = end


def read_summary(path: Path) -> tuple[dict[int, Channel], Statistics | None]:
    """Channels and counts from behind the data; empty where there are none to rely on.

    Raises:
        RecordingError: it can't be opened.
    """
    channels: dict[int, Channel] = {}
    statistics = None
    with opened(path) as file:
        try:
            for record in _summary_records(file):
                if record.opcode == Opcode.CHANNEL:
                    number, channel = parse_channel(record.body)
                    channels[number] = channel
                elif record.opcode == Opcode.STATISTICS:
                    statistics = Statistics.read(stream_of(record.body))
        except (*MALFORMED, RecordingError, OSError):
            return {}, None
    return channels, statistics


def _summary_records(file: FileBytes) -> Iterator[Record]:
    footer_at = file.size - _FOOTER_BYTES
    footer = file.read(footer_at, _FOOTER_BYTES) if footer_at >= len(MCAP0_MAGIC) else b""
    if not footer.endswith(MCAP0_MAGIC) or footer[0] != Opcode.FOOTER:
        return
    at, _, checksum = _FOOTER.unpack_from(footer, HEAD.size)
    if not (max(1, footer_at - _MAX_SUMMARY_BYTES) <= at <= footer_at):
        return
    if checksum not in (0, _checksum(file, at, footer_at, footer)):
        return
    while at < footer_at:
        opcode, length = HEAD.unpack(file.read(at, HEAD.size))
        if opcode in (Opcode.CHANNEL, Opcode.STATISTICS) and length <= _MAX_STATISTICS_BYTES:
            yield Record(at, opcode, memoryview(file.read(at + HEAD.size, length)))
        at += HEAD.size + length


def _checksum(file: FileBytes, start: int, end: int, footer: bytes) -> int:
    """CRC-32 of the summary and of the footer up to where the checksum stands."""
    checksum = 0
    for at in range(start, end, _READ_BYTES):
        checksum = zlib.crc32(file.read(at, min(_READ_BYTES, end - at)), checksum)
    return zlib.crc32(footer[: HEAD.size + _FOOTER.size - 4], checksum)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """A disk that gives up in the middle is told of as such."""
    try:
        yield
    except OSError as error:
        raise RecordingError(f"{path.name} can't be read on: {error.strerror}") from error
