"""JPEGs and PNGs that are cut, damaged, of another kind, or larger than they look."""

import zlib
from collections.abc import Iterator

import cv2

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from tests.bad_input.cases import COLUMNS, ROWS, Case, accepted, good, picture, placed
from tests.bad_input.pictures import (
    JPEG_END,
    cmyk_jpeg,
    hand_made_png,
    interlaced_png,
    jpeg,
    png,
    png_chunk,
    png_of_mode,
    progressive_jpeg,
    rotated_jpeg,
    with_frame_header,
    zeros_packed,
)

_PIXELS = picture(4711)
_JPEG, _PNG = jpeg(_PIXELS), png(_PIXELS)
_PROGRESSIVE = jpeg(_PIXELS, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def codec_cases() -> Iterator[Case]:
    """Everything about packed pictures."""
    yield from _cut()
    yield from _damaged_jpegs()
    yield from _damaged_pngs()
    yield from _unusual()
    yield from _mislabelled()


def _cut() -> Iterator[Case]:
    for kind, codec, packed in (
        ("jpeg", "jpeg", _JPEG),
        ("progressive jpeg", "jpeg", _PROGRESSIVE),
        ("png", "png", _PNG),
    ):
        end = packed[-2:] if codec == "jpeg" else packed[-12:]
        for tenths in range(10):
            start = packed[: len(packed) * tenths // 10]
            yield _refused(f"{kind} cut at {tenths}0 %", codec, start)
            yield _refused(f"{kind} cut at {tenths}0 %, its end put on", codec, start + end)
        yield _refused(f"{kind} less its last byte", codec, packed[:-1])


def _damaged_jpegs() -> Iterator[Case]:
    scan = _JPEG.index(b"\xff\xda")
    wrong = {
        "claims a row less": with_frame_header(_JPEG, rows=ROWS - 1, columns=COLUMNS),
        "claims no rows": with_frame_header(_JPEG, rows=0, columns=COLUMNS),
        "claims 65535 x 65535": with_frame_header(_JPEG, rows=65535, columns=65535),
        "of 12 bits": with_frame_header(_JPEG, precision=12, rows=ROWS, columns=COLUMNS),
        "of 16 bits": with_frame_header(_JPEG, precision=16, rows=ROWS, columns=COLUMNS),
        "lossless": _JPEG.replace(b"\xff\xc0", b"\xff\xc3", 1),
        "arithmetically coded": _JPEG.replace(b"\xff\xc0", b"\xff\xc9", 1),
        "without pixels": _JPEG[: scan + 10] + JPEG_END,
        "with garbage behind its end": _JPEG + b"garbage",
        "with another behind its end": _JPEG + b"\0" + jpeg(picture(5))[:-2],
        "of nothing but its ends": _JPEG[:2] + JPEG_END,
        "of a segment without end": _JPEG[:2] + b"\xff\xe0\xff\xff" + JPEG_END,
        "of empty segments": _JPEG[:2] + b"\xff\xe0\0\0" * 50 + JPEG_END,
        "of 65 scans": progressive_jpeg(ROWS, COLUMNS, scans=65),
        "of fill bytes": _JPEG[:2] + b"\xff" * 10_000 + JPEG_END,
    }
    for kind, packed in wrong.items():
        yield _refused(f"jpeg {kind}", "jpeg", packed)
    for rows, columns in ((ROWS * 2, COLUMNS), (16384, 16384)):
        name = f"jpeg of {ROWS} rows says it has {rows} x {columns}"
        packed = with_frame_header(_JPEG, rows=rows, columns=columns)
        yield _refused(name, "jpeg", packed, rows=rows, columns=columns)


def _damaged_pngs() -> Iterator[Case]:
    rows = zeros_packed(ROWS * (COLUMNS + 1))
    wrong = {
        "claims 65535 x 65535": hand_made_png(65535, 65535, rows),
        "claims 2**31 x 2**31": hand_made_png(2**31, 2**31, rows),
        "claims no rows": hand_made_png(COLUMNS, 0, rows),
        "holds a row less": hand_made_png(COLUMNS, ROWS, zeros_packed((ROWS - 1) * (COLUMNS + 1))),
        "of 3 bits": hand_made_png(COLUMNS, ROWS, rows, depth=3),
        "of an unknown colour": hand_made_png(COLUMNS, ROWS, rows, colour_type=5),
        "with a palette that is missing": hand_made_png(COLUMNS, ROWS, rows, colour_type=3),
        "of no pixels": hand_made_png(COLUMNS, ROWS, b""),
        "of garbage": hand_made_png(COLUMNS, ROWS, b"\x78\x9c" + b"garbage" * 9),
        "with a filter that isn't": hand_made_png(COLUMNS, ROWS, _filtered(9)),
        "with garbage behind its end": _PNG + b"garbage",
        "with a chunk of 2 GiB": _PNG[:33] + (2**31 - 1).to_bytes(4, "big") + _PNG[37:],
        "with a wrong checksum": _PNG[:29] + bytes(4) + _PNG[33:],
        "with 65 KiB of texts": _PNG[:33] + png_chunk(b"zTXt", bytes(65 * 1024)) + _PNG[33:],
        "without IHDR": _PNG[:8] + _PNG[33:],
    }
    for kind, packed in wrong.items():
        yield _refused(f"png {kind}", "png", packed)
    name = "png that claims 16384 x 16384 and holds nothing"
    packed = hand_made_png(16384, 16384, rows)
    yield _refused(name, "png", packed, rows=16384, columns=16384)


def _unusual() -> Iterator[Case]:
    bomb = png_chunk(b"zTXt", b"a\0\0" + zeros_packed(32 * 2**20))
    right = {
        "progressive": ("jpeg", _PROGRESSIVE),
        "of CMYK": ("jpeg", cmyk_jpeg(_PIXELS)),
        "turned by its EXIF": ("jpeg", rotated_jpeg(_PIXELS)),
        "with restart markers": ("jpeg", jpeg(_PIXELS, cv2.IMWRITE_JPEG_RST_INTERVAL, 1)),
        "of low quality": ("jpeg", jpeg(_PIXELS, cv2.IMWRITE_JPEG_QUALITY, 60)),
        "interlaced": ("png", interlaced_png(_PIXELS)),
        "with a text that unpacks to 32 MiB": ("png", _PNG[:33] + bomb + _PNG[33:]),
        "with 64 MiB of zeros behind its rows": ("png", _zeros_behind(_PIXELS)),
    }
    for kind, (codec, file) in right.items():
        name = f"{codec} {kind}"
        yield accepted(name, good(name, 0, codec=codec, payload=file))
    for mode in ("P", "LA", "RGB", "RGBA", "I;16"):
        name = f"png of mode {mode}"
        yield accepted(name, good(name, 0, codec="png", payload=png_of_mode(_PIXELS, mode)))


def _mislabelled() -> Iterator[Case]:
    pixels = _PIXELS.tobytes()
    yield _refused("png called jpeg", "jpeg", _PNG)
    yield _refused("jpeg called png", "png", _JPEG)
    yield _refused("raw called jpeg", "jpeg", pixels)
    yield _refused("raw called png", "png", pixels)
    yield _refused("nothing called jpeg", "jpeg", b"")
    yield _refused("nothing called png", "png", b"")
    yield _refused("gif called png", "png", b"GIF89a" + pixels)
    for codec, packed in (("jpeg", _JPEG), ("png", _PNG)):
        for rows, columns in ((ROWS + 1, COLUMNS), (COLUMNS, ROWS), (1, 1)):
            name = f"{codec} of another size than {columns} x {rows}"
            yield _refused(name, codec, packed, rows=rows, columns=columns)
    name = "jpeg called raw"
    parts = good(name, 0, payload=_JPEG)
    booked = NotInspectedReason.DECODE_ERROR
    yield placed(name, RejectReason.PAYLOAD_SIZE, parts, booked=booked)


def _refused(
    name: str, codec: str, packed: bytes, *, rows: int = ROWS, columns: int = COLUMNS
) -> Case:
    parts = good(name, 0, codec=codec, payload=packed, width=columns, height=rows)
    booked = NotInspectedReason.DECODE_ERROR
    return placed(name, RejectReason.DECODE, parts, booked=booked, rows=rows)


def _filtered(kind: int) -> bytes:
    """Rows of zeros by a filter (PNG, 9.2, has five)."""
    return zlib.compress((bytes([kind]) + bytes(COLUMNS)) * ROWS)


def _zeros_behind(pixels: GreyImage) -> bytes:
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    packer = zlib.compressobj(9)
    packed = packer.compress(rows) + packer.compress(bytes(64 * 2**20)) + packer.flush()
    return hand_made_png(COLUMNS, ROWS, packed)
