"""The bytes of a recording, and the records that they are made of (https://mcap.dev/spec)."""

import errno
import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_daemon.errors import RecordingError

HEAD = struct.Struct("<BQ")
"""Opcode and length of a record."""
CHUNK_HEAD_BYTES: Final = HEAD.size + 40
"""Of a chunk that is not compressed: opcode, length, two times, size, checksum, an empty name,
size."""
_SMALL_BYTES: Final = 4096
_PAGE_BYTES: Final = 65536


@dataclass(frozen=True, slots=True)
class Record:
    """An MCAP record.

    Attributes:
        offset: where it begins in the file.
        opcode: what it is.
        body: its bytes, without opcode and length.
        is_sound: nothing speaks against its being as it was written; otherwise only its own
            checksum speaks for it.
    """

    offset: int
    opcode: int
    body: memoryview
    is_sound: bool = True

    @property
    def end(self) -> int:
        """Just past its last byte in the file."""
        return self.offset + HEAD.size + len(self.body)


class FileBytes:
    """A file that is read here and there; it may shrink meanwhile.

    Args:
        handle: of a regular file.
        size: bytes that it had when it was opened; more isn't read.
    """

    def __init__(self, handle: int, size: int) -> None:
        self._handle = handle
        self._page_at = 0
        self._page = b""
        self.size = size

    def read(self, at: int, count: int) -> bytes:
        """So many bytes from there on, fewer where the file ends before.

        Raises:
            OSError: the disk doesn't give them.
        """
        count = max(0, min(count, self.size - at))
        if count > _SMALL_BYTES:
            return os.pread(self._handle, count, at)
        start = at - self._page_at
        if not 0 <= start <= len(self._page) - count:
            self._page_at, start = at, 0
            self._page = os.pread(self._handle, _PAGE_BYTES, at)
        return self._page[start : start + count]

    def next_data(self, at: int) -> int:
        """Where, from there on, something was written; the file's size where nothing was."""
        try:
            return os.lseek(self._handle, at, os.SEEK_DATA)
        except OSError as error:
            return self.size if error.errno == errno.ENXIO else at  # else: it can't be asked


@contextmanager
def opened(path: Path) -> Iterator[FileBytes]:
    """A file's bytes; a pipe would keep us waiting for ever.

    Raises:
        RecordingError: it can't be opened or is no file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise RecordingError(f"{path} is no file")
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror}") from error
    try:
        yield FileBytes(handle, status.st_size)
    finally:
        os.close(handle)
