"""A message's parts as one run of bytes, whatever they are.

All numbers are little endian::

    u32  number of parts
    u32  length of a part, then its bytes; once per part
    u32  CRC-32 of all of the above

The checksum tells which messages are whole where the file around them is damaged. Parts are not
looked into: what a broken camera sent is kept as it was.
"""

import struct
import zlib
from collections.abc import Sequence

from edge_daemon.core.wire import Part
from edge_daemon.errors import RecordingError

MAX_MESSAGE_BYTES = 128 * 2**20
"""A message's parts with their lengths; 16384 x 2730 pixels in RGB fit."""
MAX_PARTS = 4096
"""Three are right; an empty one costs the sender nothing and a reader its place in a list."""
_U32 = struct.Struct("<I")


def packed_size(parts: Sequence[Part]) -> int:
    """Bytes that `pack_parts` will give."""
    return _U32.size * (2 + len(parts)) + sum(memoryview(part).nbytes for part in parts)


def can_be_kept(parts: Sequence[Part]) -> bool:
    """Whether a message is small enough for a recording."""
    return len(parts) <= MAX_PARTS and packed_size(parts) <= MAX_MESSAGE_BYTES


def pack_parts(parts: Sequence[Part]) -> bytes:
    """Write any number of parts of any content as one run of bytes."""
    pieces: list[Part] = [_U32.pack(len(parts))]
    for part in parts:
        pieces += (_U32.pack(memoryview(part).nbytes), part)
    checksum = 0
    for piece in pieces:
        checksum = zlib.crc32(piece, checksum)
    return b"".join((*pieces, _U32.pack(checksum)))


def unpack_parts(packed: bytes | memoryview) -> list[bytes]:
    """Read back what `pack_parts` wrote.

    Raises:
        RecordingError: lengths, bytes and checksum don't agree.
    """
    view = memoryview(packed)
    return [bytes(view[start:end]) for start, end in _bounds(view)]


def is_whole(packed: bytes | memoryview) -> bool:
    """Whether `unpack_parts` would give something; nothing is copied."""
    try:
        _bounds(memoryview(packed))
    except RecordingError:
        return False
    return True


def _bounds(packed: memoryview) -> list[tuple[int, int]]:
    bounds = []
    end = len(packed) - _U32.size
    if end < 0 or zlib.crc32(packed[:end]) != _number(packed, end)[0]:
        raise RecordingError("a message's checksum is wrong")
    count, at = _number(packed, 0)
    if count > MAX_PARTS:
        raise RecordingError(f"a message of {count} parts; {MAX_PARTS} is the most")
    for _ in range(count):
        length, at = _number(packed, at)
        if length > end - at:
            raise RecordingError(f"a part of {length} bytes in a message that has {len(packed)}")
        bounds.append((at, at + length))
        at += length
    if at != end:
        raise RecordingError(f"{end - at} bytes too many behind a message's {count} parts")
    return bounds


def _number(packed: memoryview, at: int) -> tuple[int, int]:
    end = at + _U32.size
    if end > len(packed):
        raise RecordingError("a message ends before its parts do")
    return _U32.unpack_from(packed, at)[0], end
