"""Wrong parts, wrong ids, and headers that are no JSON object of version 1."""

from collections.abc import Iterator

from edge_daemon.errors import RejectReason
from tests.bad_input.cases import BAD, GOOD, Case, Raw, accepted, good, header, unplaced

_DEPTH = 100_000
_MANY_DIGITS = "9" * 401


def part_cases() -> Iterator[Case]:
    """Any number of parts but three, and empty ones."""
    camera = BAD.encode()
    for count in (1, 2, 4, 5, 9, 1000):
        name = f"{count} parts"
        parts = [camera, header(name, 0), *[b"x"] * 998][:count]
        yield unplaced(name, RejectReason.PARTS, parts)
    for count in (1, 2, 4):
        name = f"{count} empty parts"
        yield unplaced(name, RejectReason.PARTS, [b""] * count, counted_for="unknown")
    yield unplaced("3 empty parts", RejectReason.CAMERA_ID, [b"", b"", b""], counted_for="unknown")
    yield unplaced("empty header", RejectReason.HEADER_JSON, [camera, b"", b""])
    yield unplaced(
        "parts in another order", RejectReason.CAMERA_ID, good("", 0)[::-1], counted_for="unknown"
    )
    yield unplaced("header of a megabyte", RejectReason.HEADER_SIZE, [camera, bytes(2**20), b""])


def id_cases() -> Iterator[Case]:
    """Names that no camera may have, and one that no camera here has."""
    wrong = {
        "slash": b"a/b",
        "plus": b"+",
        "hash": b"#",
        "dollar": b"$SYS",
        "two dots": b"..",
        "dot": b"a.b",
        "zero byte": b"a\0",
        "empty": b"",
        "65 bytes": b"x" * 65,
        "10 MB": b"x" * 10**7,
        "latin-1": "ü".encode("latin-1"),
        "umlaut": "ü".encode(),
        "overlong slash": b"\xc0\xaf",
        "surrogate": b"\xed\xa0\x80",
        "newline at its end": BAD.encode() + b"\n",
        "line separator": BAD.encode() + "\u2028".encode(),
        "space": b"bad 1",
        "full-width digit": "bad-\uff11".encode(),
    }
    for kind, part in wrong.items():
        name = f"id: {kind}"
        parts = [part, *good(name, 0)[1:]]
        yield unplaced(name, RejectReason.CAMERA_ID, parts, counted_for="unknown")
    for stranger in ("stranger", BAD.upper(), GOOD[:-1]):
        name = f"id: {stranger} is not configured"
        parts = [stranger.encode(), *good(name, 0)[1:]]
        yield unplaced(name, RejectReason.UNKNOWN_CAMERA, parts, counted_for=stranger)


def json_cases() -> Iterator[Case]:
    """Headers that can't be read, or can be read in two ways."""
    name = "json: every truncation"
    whole = header(name, 0, coil="C1", crc32=7)
    cut = [[BAD.encode(), whole[:length], b"x"] for length in range(len(whole))]
    yield unplaced(name, RejectReason.HEADER_JSON, *cut)
    start = header("json", 0)[:-1]
    wrong = {
        "null": b"null",
        "array": b"[" + header("json", 0) + b"]",
        "text": b'"v"',
        "number": b"1",
        "single quotes": header("json", 0).replace(b'"', b"'"),
        "something behind it": header("json", 0) + b"{}",
        "comment": header("json", 0) + b"//",
        "comma at its end": start + b",}",
        "byte order mark": b"\xef\xbb\xbf" + header("json", 0),
        "utf-16": header("json", 0).decode().encode("utf-16"),
        "utf-32": header("json", 0).decode().encode("utf-32-le"),
        "latin-1": start + ', "x": "ü"}'.encode("latin-1"),
        "overlong utf-8": start + b', "x": "\xc0\xaf"}',
        "surrogate in utf-8": start + b', "x": "\xed\xa0\x80"}',
        "zero byte": start + b', "x": "\0"}',
        "line break in a text": start + b', "x": "\n"}',
        "half an escape": start + rb', "x": "\u12"}',
        "NaN": start + b', "x": NaN}',
        "Infinity": start + b', "encoder_mm": Infinity}',
        "-Infinity": start + b', "encoder_mm": -Infinity}',
        "leading zero": start + b', "x": 01}',
        "hexadecimal": start + b', "x": 0x1}',
        "equal keys": start + b', "seq": 1}',
        "equal keys with equal values": start + b', "seq": 0}',
        "equal unknown keys": start + b', "x": 1, "x": 2}',
        "equal keys inside": start + b', "x": {"y": 1, "y": 2}}',
        "equal keys, one escaped": start + rb', "\u0073eq": 1}',
        "4096 brackets": b"[" * 4096,
        "800 objects deep": b'{"a":' * 800,
    }
    for kind, part in wrong.items():
        yield unplaced(f"json: {kind}", RejectReason.HEADER_JSON, [BAD.encode(), part, b""])
    large = {
        "4097 bytes": header("json", 0).ljust(4097),
        "100,000 deep": start + b', "x": ' + b"[" * _DEPTH + b"]" * _DEPTH + b"}",
        "10 MB of spaces": header("json", 0).ljust(10**7),
        "10 MB of digits": b"9" * 10**7,
    }
    for kind, part in large.items():
        yield unplaced(f"json: {kind}", RejectReason.HEADER_SIZE, [BAD.encode(), part, b""])
    name = "json: 4096 bytes"
    yield accepted(name, [BAD.encode(), header(name, 0).ljust(4096), good(name, 0)[2]])
    for kind, text in {
        "1e999": "1e999",
        "huge integer": _MANY_DIGITS,
        "escape": r'"\ud800"',
    }.items():
        name = f"json: unknown key with {kind}"
        yield accepted(name, good(name, 0, gain=Raw(text)))


def version_cases() -> Iterator[Case]:
    """Anything but the integer 1."""
    texts = ("", "0", "2", "-1", "1.0", "1e0", "true", "null", '"1"', "[1]", "1e999", _MANY_DIGITS)
    for text in texts:
        name = f"v: {text[:12]}"
        yield unplaced(name, RejectReason.VERSION, good(name, 0, v=Raw(text)))
