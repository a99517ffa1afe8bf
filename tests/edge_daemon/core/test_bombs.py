"""Files of some kilobytes that would keep a decoder busy for minutes, and files that are right."""

import zlib

import cv2
import pytest

from edge_daemon.core.bombs import MOST_SCANS, MOST_TEXT_BYTES, check_jpeg_work, check_png_work
from edge_daemon.core.pixels import grey_from_file
from edge_daemon.errors import FrameError, RejectReason
from tests.bad_input.cases import picture
from tests.bad_input.pictures import (
    hand_made_png,
    interlaced_png,
    jpeg,
    png,
    png_chunk,
    png_of_mode,
    progressive_jpeg,
    zeros_packed,
)

NOISE = picture(1, 48, 80)
MODES = ("1", "P", "LA", "RGB", "RGBA", "I;16")


def test_a_jpeg_of_hundreds_of_scans_is_refused() -> None:
    assert grey_from_file(progressive_jpeg(32, 64, scans=MOST_SCANS)).shape == (
        32,
        64,
    )  # control: it is right
    with pytest.raises(FrameError, match="65 scans, 64 at most") as caught:
        grey_from_file(progressive_jpeg(32, 64, scans=MOST_SCANS + 1))
    assert caught.value.reason is RejectReason.DECODE


def test_jpegs_as_encoders_write_them_are_not() -> None:
    for flags in ((), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 1)):
        check_jpeg_work(memoryview(jpeg(NOISE, *flags)))


def test_a_png_that_unpacks_to_more_than_its_rows_is_refused() -> None:
    bomb = hand_made_png(64, 64, zeros_packed(2**24))
    check_png_work(bomb)  # control: so little isn't looked into
    with pytest.raises(FrameError, match="unpacks to more than its 4160 bytes") as caught:
        check_png_work(bomb, most_unpacked_bytes=2**23)
    assert caught.value.reason is RejectReason.DECODE


@pytest.mark.parametrize("name", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_png_of_many_texts_is_refused(name: bytes) -> None:
    text = png_chunk(name, bytes(MOST_TEXT_BYTES // 4))
    packed = png(NOISE)
    check_png_work(packed[:33] + text * 4 + packed[33:])
    with pytest.raises(FrameError, match="texts and profiles"):
        check_png_work(packed[:33] + text * 5 + packed[33:])


def test_pngs_as_encoders_write_them_are_not() -> None:
    files = [png(NOISE), *(png_of_mode(NOISE, mode) for mode in MODES)]
    for rows, columns in ((1, 1), (1, 9), (3, 2), (5, 4), (48, 80)):
        files.append(interlaced_png(picture(2, rows, columns)))
    for packed in files:
        check_png_work(memoryview(packed), most_unpacked_bytes=0)
        with pytest.raises(FrameError):
            check_png_work(with_a_byte_more(packed), most_unpacked_bytes=0)


def with_a_byte_more(packed: bytes) -> bytes:
    """The same with rows that are a byte longer than they should be."""
    at = packed.index(b"IDAT") - 4
    length = int.from_bytes(packed[at : at + 4], "big")
    rows = zlib.decompress(packed[at + 8 : at + 8 + length]) + b"\0"
    return packed[:at] + png_chunk(b"IDAT", zlib.compress(rows)) + packed[at + 12 + length :]


@pytest.mark.parametrize("content", [b"", b"x" * 40, png(NOISE)[:40], png(NOISE)[:20] + bytes(99)])
def test_what_is_no_png_is_left_to_the_decoder(content: bytes) -> None:
    check_png_work(content)
