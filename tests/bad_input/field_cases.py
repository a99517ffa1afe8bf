"""Fields that a header must not have, and sizes that the payload doesn't have."""

import zlib
from collections.abc import Iterator, Mapping, Sequence

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from tests.bad_input.cases import (
    COLUMNS,
    ROWS,
    Case,
    Raw,
    accepted,
    good,
    header,
    picture,
    placed,
    unplaced,
)

_HUGE = "9" * 401
_NO_INTEGER = (
    "-1",
    str(2**63),
    str(2**64),
    _HUGE,
    "1.0",
    "1e0",
    "1e999",
    "true",
    '"1"',
    "[1]",
    "{}",
)
_UNPLACED: Mapping[str, Sequence[str]] = {
    "stream": ("", "null", "5", "true", '["s"]', r'"a\nb"', r'"\u0000"', r'"\ud800"', r'"\u2028"'),
    "seq": ("", "null", str(2**53), *_NO_INTEGER),
    "height": ("", "null", "0", "16385", str(2**32 - 1), *_NO_INTEGER),
    "first_line": (str(2**53), *_NO_INTEGER),
}
"""The fields that a frame's place is told by."""
_PLACED: Mapping[str, Sequence[str]] = {
    "t_ns": ("", "null", *_NO_INTEGER),
    "width": ("", "null", "0", "16385", str(2**32 - 1), *_NO_INTEGER),
    "format": (
        "",
        "null",
        "8",
        '""',
        '"mono8"',
        '"Mono10"',
        '"Mono10p"',
        '"BayerRG8"',
        '["Mono8"]',
    ),
    "codec": ("", "null", "0", '""', '"RAW"', '"jpg"', '"zstd"', '"raw "', '{"raw": 1}'),
    "encoder_mm": ("true", '"1.0"', "[1]", "1e999", "-1e999", _HUGE),
    "coil": (
        "7",
        '""',
        '"a/b"',
        '"+"',
        '"#"',
        '"$"',
        '"a b"',
        r'"a\n"',
        r'"a\u0000"',
        '"ü"',
        f'"{"x" * 65}"',
    ),
    "crc32": _NO_INTEGER,
}


def field_cases() -> Iterator[Case]:
    """Each field missing, of a wrong type, out of its range."""
    for key, texts in _UNPLACED.items():
        for text in texts:
            name = f"{key}: {text[:12] or 'missing'}"
            wrong = good(name, 0, payload=None, **{key: Raw(text)})
            yield unplaced(name, RejectReason.HEADER_FIELD, wrong)
    for key, texts in _PLACED.items():
        for text in texts:
            name = f"{key}: {text[:12] or 'missing'}"
            wrong = good(name, 0, payload=None, **{key: Raw(text)})
            yield placed(name, RejectReason.HEADER_FIELD, wrong)


def size_cases() -> Iterator[Case]:
    """Payloads that aren't what the header says."""
    full = ROWS * COLUMNS
    per_pixel = {"Mono8": 1, "Mono16": 2, "RGB8": 3, "BGR8": 3}
    for pixel_format, size in per_pixel.items():
        for wrong in (0, 1, full * size - 1, full * size + 1):
            name = f"size: {pixel_format} in {wrong} bytes"
            yield _wrong_size(name, good(name, 0, format=pixel_format, payload=bytes(wrong)))
    for width, height in ((16384, 16384), (16384, 1), (1, 16384), (65, 32), (64, 33)):
        name = f"size: {width}x{height} in {full} bytes"
        parts = good(name, 0, width=width, height=height, format="RGB8")
        yield _wrong_size(name, parts, rows=height)
    for rows, columns in ((1, 1), (1, 16384), (16384, 1), (1, 7), (257, 1601)):
        name = f"size: {rows} rows of {columns}"
        pixels = picture(7, rows, columns).tobytes()
        yield accepted(name, good(name, 0, width=columns, height=rows, payload=pixels), rows=rows)


def _wrong_size(name: str, parts: Sequence[bytes], *, rows: int = ROWS) -> Case:
    booked = NotInspectedReason.DECODE_ERROR
    return placed(name, RejectReason.PAYLOAD_SIZE, parts, booked=booked, rows=rows)


def checksum_cases() -> Iterator[Case]:
    """Right ones, and wrong ones that are numbers all the same."""
    pixels = picture(1).tobytes()
    right = zlib.crc32(pixels)
    yield accepted("crc32: right", good("crc32: right", 0, payload=pixels, crc32=right))
    for wrong in (0, right ^ 1, 2**32 - 1):
        name = f"crc32: {wrong} is another"
        parts = good(name, 0, payload=pixels, crc32=wrong)
        yield placed(name, RejectReason.CRC32, parts, booked=NotInspectedReason.DECODE_ERROR)


def odd_cases() -> Iterator[Case]:
    """What looks strange and is within the contract."""
    odd: Mapping[str, Mapping[str, object]] = {
        "no coil after one": {"coil": None},
        "coil of dots": {"coil": ".."},
        "coil of 64 letters": {"coil": "x" * 64},
        "everything unknown": {"Seq": 9, "__proto__": {}, "": [], "\ud800": 1},
        "encoder far below zero": {"encoder_mm": -1e308},
        "encoder beyond the moon": {"encoder_mm": 1e308},
        "encoder next to nothing": {"encoder_mm": 5e-324},
        "encoder minus zero": {"encoder_mm": Raw("-0.0")},
        "encoder as an integer": {"encoder_mm": 2**63},
        "exposed in 1970": {"t_ns": 0},
        "exposed in 2262": {"t_ns": 2**63 - 1},
    }
    for kind, fields in odd.items():
        name = f"odd: {kind}"
        yield accepted(name, good(name, 0, payload=None, **fields))
    for name in ("x" * 3000, "\U0001f6e0 stream", "a/+#$..", "%s{}<b>"):
        yield accepted(name, good(name, 0))
    empty = [good("", 0)[0], header("", 0), picture(3).tobytes()]
    yield accepted("", empty)
