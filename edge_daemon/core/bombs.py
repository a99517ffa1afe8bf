"""Small files that keep a decoder busy for minutes, told before a decoder sees them.

A frame may cost what its pixels cost. Two formats let a few kilobytes cost a thousand times that:
a progressive JPEG may go over all its pixels in hundreds of scans, and a PNG's compressed data may
unpack to any number of zeros, which decoders read to the end and throw away.
"""

import zlib
from collections.abc import Iterable, Iterator

from edge_daemon.core.wire import MAX_SIDE_PX, Part
from edge_daemon.errors import FrameError, RejectReason

MOST_SCANS = 64
"""Of a JPEG; encoders write 10 or so."""
MOST_TEXT_BYTES = 2**16
"""Packed texts and profiles of a PNG, which decoders unpack though nobody reads them."""
MOST_UNPACKED_BYTES = 3 * MAX_SIDE_PX**2
_JPEG_SCAN = b"\xff\xda"
_PNG_START_BYTES, _CHUNK_START_BYTES, _CHUNK_END_BYTES = 8, 8, 4
_PACKED_TEXTS = (b"zTXt", b"iTXt", b"iCCP")
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
_PIECE_BYTES = 2**18
_DEFLATE_RATIO = 1032
"""The most that deflate packs (RFC 1951: 258 bytes in two bits)."""


def check_jpeg_work(packed: Part) -> None:
    """Bound the passes over a JPEG's pixels.

    Raises:
        FrameError: it has more than `MOST_SCANS`.
    """
    scans = bytes(packed).count(_JPEG_SCAN)
    if scans > MOST_SCANS:
        raise FrameError(RejectReason.DECODE, f"the JPEG has {scans} scans, {MOST_SCANS} at most")


def check_png_work(packed: Part, *, most_unpacked_bytes: int = MOST_UNPACKED_BYTES) -> None:
    """Hold what a PNG unpacks to against the rows that it announces (PNG, 7.2, 8.2, 11.2.1).

    What can't unpack to more than the largest frame has isn't looked into: that costs a quarter of
    decoding.

    Args:
        packed: the file.
        most_unpacked_bytes: what its data may unpack to unseen.

    Raises:
        FrameError: it unpacks to more, or has more than `MOST_TEXT_BYTES` of packed texts.
    """
    chunks = list(_chunks(memoryview(packed)))
    texts = sum(len(content) for name, content in chunks if name in _PACKED_TEXTS)
    if texts > MOST_TEXT_BYTES:
        raise FrameError(
            RejectReason.DECODE,
            f"the PNG has {texts} bytes of texts and profiles, {MOST_TEXT_BYTES} at most",
        )
    rows = [content for name, content in chunks if name == b"IDAT"]
    headers = [bytes(content) for name, content in chunks if name == b"IHDR"]
    if headers and sum(map(len, rows)) * _DEFLATE_RATIO > most_unpacked_bytes:
        _check_inflated(rows, _rows_bytes(headers[0]))


def _chunks(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Names and contents, as far as they go."""
    at = _PNG_START_BYTES
    while at + _CHUNK_START_BYTES <= len(view):
        length = int.from_bytes(view[at : at + 4], "big")
        start = at + _CHUNK_START_BYTES
        yield bytes(view[at + 4 : start]), view[start : start + length]
        at = start + length + _CHUNK_END_BYTES


def _check_inflated(contents: Iterable[memoryview], most_bytes: int) -> None:
    inflater = zlib.decompressobj()
    unpacked = 0
    for content in contents:
        waiting: Part = content
        while len(waiting) and not inflater.eof:
            try:
                unpacked += len(inflater.decompress(waiting, _PIECE_BYTES))
            except zlib.error:
                return  # the decoder stops there, too
            if unpacked > most_bytes:
                raise FrameError(
                    RejectReason.DECODE, f"the PNG unpacks to more than its {most_bytes} bytes"
                )
            waiting = inflater.unconsumed_tail


def _rows_bytes(header: bytes) -> int:
    """What the rows of all passes take, each with the byte that names its filter."""
    if len(header) < 13:  # noqa: PLR2004 - IHDR's length; no decoder takes a shorter one
        return 0
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    bits = header[8] * _CHANNELS.get(header[9], 1)
    if not header[12]:
        return height * (1 + -(-width * bits // 8))
    sizes = [
        (-(-(height - top) // down), -(-(width - left) // right))
        for top, left, down, right in _ADAM7
    ]
    return sum(
        rows * (1 + -(-columns * bits // 8)) for rows, columns in sizes if columns > 0 < rows
    )
