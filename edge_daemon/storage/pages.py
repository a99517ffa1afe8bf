"""Reads a SQLite file page by page, without SQLite: what is left of one that SQLite refuses.

A page is 4096 bytes, as SQLite makes them unless told otherwise. Of the tables' trees only the
leaves are looked at: each is complete in itself, and needs neither the header of the file, nor its
schema, nor the pages above it. Newer versions of pages lie in the log beside the file (`-wal`); a
frame there is taken where its checksum, which starts from that of the frame before, says that it
is whole, so that one bad frame doesn't cost those behind it.

Source: "Database File Format", https://www.sqlite.org/fileformat2.html.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

PAGE_BYTES: Final = 4096

_TABLE_LEAF: Final = 0x0D
_INDEX_LEAF: Final = 0x0A
_INDEX_INTERIOR: Final = 0x02
_FILE_HEADER_BYTES: Final = 100
_LOG_HEADER: Final = struct.Struct(">8I")
_FRAME_HEADER: Final = struct.Struct(">6I")
_BIG_ENDIAN_LOG: Final = 0x377F0683
_MOST_COLUMNS: Final = 64
_TABLE_LOCAL: Final = PAGE_BYTES - 35
_INDEX_LOCAL: Final = (PAGE_BYTES - 12) * 64 // 255 - 23
_LEAST_LOCAL: Final = (PAGE_BYTES - 12) * 32 // 255 - 23
_INTEGER_BYTES: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_CONSTANTS: Final = {8: 0, 9: 1}

Value: TypeAlias = int | float | str | bytes | None


class UnreadablePageError(Exception):
    """A page, or a cell on it, doesn't make sense."""


@dataclass(frozen=True, slots=True)
class Record:
    """A row as it lies on its page.

    Attributes:
        rowid: its key; None in an index, or in a table without one.
        values: the columns, as many as were stored.
    """

    rowid: int | None
    values: tuple[Value, ...]


class PageFile:
    """The pages of a database file as they would be with its log played in.

    Args:
        path: the file; may be missing. Nothing is written or locked.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def records(self) -> Iterator[Record]:
        """Yield every row of every table that is readable, newest version, in no order.

        Raises:
            OSError: the disk doesn't give the file.
        """
        pages = _Pages(
            _content(self._path), _content(self._path.with_name(f"{self._path.name}-wal"))
        )
        for number in pages.numbers():
            yield from _records(pages, number)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


class _Pages:
    def __init__(self, file: bytes, log: bytes) -> None:
        self._file = memoryview(file)
        self._log = memoryview(log)
        self._newer = _frames(self._log)

    def numbers(self) -> list[int]:
        """Pages that there are, counted from 1; one that is cut off at the end isn't."""
        return sorted({*range(1, len(self._file) // PAGE_BYTES + 1), *self._newer})

    def read(self, number: int) -> memoryview:
        start = self._newer.get(number)
        if start is not None:
            return self._log[start : start + PAGE_BYTES]
        start = (number - 1) * PAGE_BYTES
        if number < 1 or start + PAGE_BYTES > len(self._file):
            raise UnreadablePageError(f"page {number} isn't there")
        return self._file[start : start + PAGE_BYTES]


def _frames(log: memoryview) -> dict[int, int]:
    """Return where in the log the newest version of each page lies that it has."""
    if len(log) < _LOG_HEADER.size + _FRAME_HEADER.size:
        return {}
    magic, _, _, _, *salts, sum_1, sum_2 = _LOG_HEADER.unpack_from(log)
    order = ">" if magic == _BIG_ENDIAN_LOG else "<"
    sound = _checksum(log[:24], (0, 0), order) == (sum_1, sum_2)
    if not sound:
        salts = list(_FRAME_HEADER.unpack_from(log, _LOG_HEADER.size)[2:4])
    before: tuple[int, int] = (sum_1, sum_2)
    newest: dict[int, int] = {}
    transaction: dict[int, int] = {}
    step = _FRAME_HEADER.size + PAGE_BYTES
    for start in range(_LOG_HEADER.size, len(log) - step + 1, step):
        page, size_after, salt_1, salt_2, *sums = _FRAME_HEADER.unpack_from(log, start)
        if [salt_1, salt_2] != salts:
            before = (sums[0], sums[1])
            continue
        data = start + _FRAME_HEADER.size
        if _checksum(
            log[data : data + PAGE_BYTES], _checksum(log[start : start + 8], before, order), order
        ) == (sums[0], sums[1]):
            transaction[page] = data
        before = (sums[0], sums[1])
        if size_after:
            newest |= transaction
            transaction = {}
    return newest


def _checksum(data: memoryview, seed: tuple[int, int], order: str) -> tuple[int, int]:
    """Return the two sums of section 4.2 of the format, carried on from `seed`."""
    sum_1, sum_2 = seed
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        sum_1 = (sum_1 + first + sum_2) & 0xFFFFFFFF
        sum_2 = (sum_2 + second + sum_1) & 0xFFFFFFFF
    return sum_1, sum_2


def _records(pages: _Pages, number: int) -> Iterator[Record]:
    page = pages.read(number)
    header = _FILE_HEADER_BYTES if number == 1 else 0
    kind = page[header]
    if kind not in {_TABLE_LEAF, _INDEX_LEAF, _INDEX_INTERIOR}:
        return
    pointers = header + (12 if kind == _INDEX_INTERIOR else 8)
    for place in range(int.from_bytes(page[header + 3 : header + 5])):
        at = pointers + 2 * place
        if at + 2 > PAGE_BYTES:
            return
        try:
            yield _cell(pages, page, int.from_bytes(page[at : at + 2]), kind)
        except (UnreadablePageError, IndexError, struct.error, UnicodeDecodeError):
            continue


def _cell(pages: _Pages, page: memoryview, at: int, kind: int) -> Record:
    if kind == _INDEX_INTERIOR:
        at += 4
    size, at = _varint(page, at)
    rowid = None
    if kind == _TABLE_LEAF:
        rowid, at = _varint(page, at)
    payload = _payload(pages, page, at, size, _TABLE_LOCAL if kind == _TABLE_LEAF else _INDEX_LOCAL)
    return Record(rowid, tuple(_values(payload)))


def _payload(pages: _Pages, page: memoryview, at: int, size: int, most: int) -> bytes:
    """Return a cell's content, with what didn't fit on its page."""
    if size <= most:
        return _exactly(page, at, size)
    local = _LEAST_LOCAL + (size - _LEAST_LOCAL) % (PAGE_BYTES - 4)
    local = local if local <= most else _LEAST_LOCAL
    parts = [_exactly(page, at, local)]
    following, left = int.from_bytes(_exactly(page, at + local, 4)), size - local
    seen: set[int] = set()
    while left > 0:
        if following in seen:
            raise UnreadablePageError(f"page {following} follows itself")
        seen.add(following)
        more = pages.read(following)
        parts.append(bytes(more[4 : 4 + left]))
        left -= len(parts[-1])
        following = int.from_bytes(more[:4])
    return b"".join(parts)


def _exactly(page: memoryview, at: int, size: int) -> bytes:
    if at + size > len(page):
        raise UnreadablePageError("a cell reaches over the end of its page")
    return bytes(page[at : at + size])


def _values(payload: bytes) -> Iterator[Value]:
    view = memoryview(payload)
    header, at = _varint(view, 0)
    kinds: list[int] = []
    while at < header:
        kind, at = _varint(view, at)
        kinds.append(kind)
    if at != header or len(kinds) > _MOST_COLUMNS:
        raise UnreadablePageError("the header of a record has another length than it says")
    for kind in kinds:
        value, at = _value(view, at, kind)
        yield value
    if at != len(payload):
        raise UnreadablePageError("a record is longer than its columns")


def _value(view: memoryview, at: int, kind: int) -> tuple[Value, int]:
    if kind == 0:
        return None, at
    if kind in _CONSTANTS:
        return _CONSTANTS[kind], at
    if kind in _INTEGER_BYTES:
        end = at + _INTEGER_BYTES[kind]
        return int.from_bytes(_exactly(view, at, end - at), signed=True), end
    if kind == 7:  # noqa: PLR2004 - serial type of a float
        return float(struct.unpack(">d", _exactly(view, at, 8))[0]), at + 8
    if kind < 12:  # noqa: PLR2004 - serial types 10 and 11 are never written
        raise UnreadablePageError(f"no value has the type {kind}")
    end = at + (kind - 12) // 2
    raw = _exactly(view, at, end - at)
    return (raw.decode() if kind % 2 else raw), end


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for place in range(9):
        byte = view[at + place]
        if place == 8:  # noqa: PLR2004 - the ninth byte gives all its bits
            return (value << 8) | byte, at + 9
        value = (value << 7) | (byte & 0x7F)
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more follow
            return value, at + place + 1
    raise AssertionError
