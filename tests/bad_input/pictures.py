"""Image files as codecs write them, and as they must not be: small ones, made by hand."""

import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image

from edge_daemon.core.pixels import GreyImage

JPEG_END = b"\xff\xd9"
PNG_START = b"\x89PNG\r\n\x1a\n"
_ADAM7 = (
    (0, 0, 8, 8),
    (0, 4, 8, 8),
    (4, 0, 8, 4),
    (0, 2, 4, 4),
    (2, 0, 4, 2),
    (0, 1, 2, 2),
    (1, 0, 2, 1),
)
"""First row, first column, rows and columns between: the passes of an interlaced PNG."""
_ORIENTATION = 0x112
_WIDTH, _HEIGHT, _BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIP_OFFSETS, _SAMPLES_PER_PIXEL, _ROWS_PER_STRIP, _STRIP_BYTE_COUNTS = 273, 277, 278, 279


def jpeg(pixels: GreyImage, *flags: int) -> bytes:
    """Write a JPEG with OpenCV's flags."""
    done, packed = cv2.imencode(".jpg", pixels, flags)
    assert done
    return packed.tobytes()


def png(pixels: GreyImage) -> bytes:
    """Write a PNG as OpenCV does."""
    done, packed = cv2.imencode(".png", pixels)
    assert done
    return packed.tobytes()


def rotated_jpeg(pixels: GreyImage) -> bytes:
    """A JPEG that asks to be shown turned by a quarter."""
    exif = Image.Exif()
    exif[_ORIENTATION] = 6
    return _by_pillow(Image.fromarray(pixels), "JPEG", exif=exif)


def cmyk_jpeg(pixels: GreyImage) -> bytes:
    """A JPEG for printers."""
    return _by_pillow(Image.fromarray(pixels).convert("RGB").convert("CMYK"), "JPEG")


def png_of_mode(pixels: GreyImage, mode: str) -> bytes:
    """A PNG of one of Pillow's modes: 1, P, LA, RGB, RGBA, or I;16."""
    if mode == "I;16":
        return _by_pillow(Image.fromarray(pixels.astype(np.uint16) << 8), "PNG")
    return _by_pillow(Image.fromarray(pixels).convert(mode), "PNG")


def interlaced_png(pixels: GreyImage) -> bytes:
    """A PNG in seven passes (PNG, 8.2)."""
    rows = b""
    for top, left, down, right in _ADAM7:
        for row in pixels[top::down, left::right]:
            rows += b"\0" + row.tobytes() if len(row) else b""
    height, width = pixels.shape
    return hand_made_png(width, height, zlib.compress(rows), interlace=1)


def hand_made_png(
    width: int,
    height: int,
    packed_rows: bytes,
    *,
    depth: int = 8,
    colour_type: int = 0,
    interlace: int = 0,
    between: bytes = b"",
) -> bytes:
    """A PNG that claims a size and holds what it is given; `between` are chunks before IDAT."""
    size = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, interlace)
    chunks = png_chunk(b"IHDR", size) + between + png_chunk(b"IDAT", packed_rows)
    return PNG_START + chunks + png_chunk(b"IEND", b"")


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def zeros_packed(count: int) -> bytes:
    """So many zero bytes, a thousandth of the size: what a bomb is filled with."""
    packer = zlib.compressobj(9)
    block = bytes(2**20)
    packed = [packer.compress(block) for _ in range(count // len(block))]
    return b"".join((*packed, packer.compress(bytes(count % len(block))), packer.flush()))


def with_frame_header(packed: bytes, *, precision: int = 8, rows: int, columns: int) -> bytes:
    """A JPEG whose frame header says something else."""
    at = packed.index(b"\xff\xc0") + 4
    return packed[:at] + struct.pack(">BHH", precision, rows, columns) + packed[at + 5 :]


def progressive_jpeg(rows: int, columns: int, *, scans: int) -> bytes:
    """2,048 pixels of nothing, each coefficient refined bit by bit (ITU-T T.81, G.1.2)."""

    def segment(marker: int, content: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content

    def scan(coefficient: int, high: int, low: int) -> bytes:
        return segment(0xDA, bytes([1, 1, 0, coefficient, coefficient, high << 4 | low]))

    all_blocks = b"\x07"  # the one code, then 5 bits that are 0: a run of 32 ends of block
    parts = [b"\xff\xd8", segment(0xDB, b"\0" + b"\1" * 64)]
    parts += [segment(0xC2, struct.pack(">BHHBBBB", 8, rows, columns, 1, 1, 0x11, 0))]
    parts += [segment(0xC4, b"\0\1" + bytes(15) + b"\0")]
    parts += [segment(0xC4, b"\x10\1" + bytes(15) + b"\x50"), scan(0, 0, 0), bytes(4)]
    passes = [(k, low) for k in range(1, 64) for low in range(13, -1, -1)]
    for coefficient, low in passes[: scans - 1]:
        parts += [scan(coefficient, 0 if low == 13 else low + 1, low), all_blocks]
    return b"".join((*parts, b"\xff\xd9"))


def small_tiff(rows: int, columns: int) -> bytes:
    """A TIFF of white pixels, a bit for each row (CCITT Group 4: like the row before)."""
    packed = b"\xff" * (-(-rows // 8)) + bytes.fromhex("001001")
    tags = {
        _WIDTH: columns,
        _HEIGHT: rows,
        _BITS_PER_SAMPLE: 1,
        _COMPRESSION: 4,
        _PHOTOMETRIC: 0,
        _STRIP_OFFSETS: 8,
        _SAMPLES_PER_PIXEL: 1,
        _ROWS_PER_STRIP: rows,
        _STRIP_BYTE_COUNTS: len(packed),
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    start = struct.pack("<2sHI", b"II", 42, 8 + len(packed))
    return start + packed + struct.pack("<H", len(tags)) + entries + bytes(4)


def _by_pillow(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()
