"""Finds messages in a stretch of a recording where nothing else can be relied on.

What is looked for is the head of a message (both of its times alike) or of a chunk (its lengths
agree); that a message is whole, its own checksum tells. So damage costs the messages that it hit
and no others.

A file made for it could have any number of heads that promise large messages, one within the
other. What may be read in vain is therefore bounded by what the stretch itself is long.
"""

import re
import struct
from collections.abc import Generator
from typing import Final

from mcap.opcode import Opcode

from edge_daemon.recordings.parts import MAX_MESSAGE_BYTES, is_whole
from edge_daemon.recordings.records import CHUNK_HEAD_BYTES, HEAD, FileBytes, Record

MESSAGE_HEAD = struct.Struct("<HIQQ")
_HEADS = re.compile(
    rb"\x05.{4}\0{4}.{6}(.{8})\1"  # a message: opcode, length, channel, sequence, two times
    rb"|\x06.{4}\0{4}.{16}(.{8}).{4}\0{4}\2",  # a chunk: ..., size, checksum, no name, size
    re.DOTALL,
)
_LONGEST_HEAD: Final = CHUNK_HEAD_BYTES
_WINDOW_BYTES: Final = 2**20
_IN_VAIN_BYTES: Final = 256 * 2**20
_IN_VAIN_PER_BYTE: Final = 4


class Salvage:
    """Searches stretches of one file.

    Attributes:
        credit_bytes: what may still be read in vain, in all stretches together.
    """

    def __init__(self, file: FileBytes) -> None:
        self._file = file
        self.credit_bytes = _IN_VAIN_BYTES
        self._window_at = 0
        self._window = b""

    def search(self, at: int, end: int, *, chunks: bool) -> Generator[Record, None, int]:
        """Give the whole messages of a stretch, in order.

        Args:
            at: where it begins in the file.
            end: just past its end.
            chunks: stop where a chunk begins.

        Returns:
            Where it ended.
        """
        while (found := self._next_head(at, end)) is not None:
            at, opcode, length = found
            if opcode == Opcode.CHUNK:
                if chunks:
                    return at
            elif (body := self._whole_message(at + HEAD.size, length, end)) is not None:
                yield Record(at, Opcode.MESSAGE, body, is_sound=False)
                del body  # the largest there may be: not twice at a time
                at += HEAD.size + length
                continue
            at += 1
        return end

    def _next_head(self, at: int, end: int) -> tuple[int, int, int] | None:
        """Offset, opcode and length of what looks like the next message or chunk."""
        while at < end:
            if not self._window_at <= at < self._window_at + len(self._window):
                self._look_at(at, end)
                if not self._window:
                    return None
                at = self._window_at
            match = _HEADS.search(self._window, at - self._window_at)
            if match is not None and self._window_at + match.end() <= end:
                opcode, length = HEAD.unpack_from(self._window, match.start())
                return self._window_at + match.start(), opcode, length
            behind = self._window_at + len(self._window)
            if behind >= end or len(self._window) < _LONGEST_HEAD:
                return None
            at = max(at, behind - _LONGEST_HEAD + 1)  # a head may begin here and end behind it
            self._window = b""
        return None

    def _look_at(self, at: int, end: int) -> None:
        """Load the next window; holes, which a file of any size can be made of, are passed over."""
        self._window_at = at
        self._window = self._file.read(at, min(_WINDOW_BYTES, end - at))
        self.credit_bytes += _IN_VAIN_PER_BYTE * len(self._window)
        if self._window and not self._window.strip(b"\0"):
            data_at = min(self._file.next_data(at), end)
            if data_at != at:
                self._window_at = data_at
                self._window = self._file.read(data_at, min(_WINDOW_BYTES, end - data_at))

    def _whole_message(self, at: int, length: int, end: int) -> memoryview | None:
        too_long = length > MESSAGE_HEAD.size + MAX_MESSAGE_BYTES
        if too_long or at + length > end or length > self.credit_bytes:
            return None
        body = memoryview(self._file.read(at, length))
        if len(body) == length and is_whole(body[MESSAGE_HEAD.size :]):
            return body
        self.credit_bytes -= length
        return None
