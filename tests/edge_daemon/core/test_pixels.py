"""From payloads to grey pixels, and every way in which a payload can be wrong."""

import struct
import zlib
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage, compressed_size, decode, grey_from_file
from edge_daemon.core.wire import Codec, Frame, FrameHeader, PixelFormat
from edge_daemon.errors import FrameError, RejectReason

Image: TypeAlias = NDArray[Any]

PNG_START = b"\x89PNG\r\n\x1a\n"


def ramp(height: int = 20, width: int = 24, channels: int = 0) -> Image:
    """Pixels that change slowly; no two corners are alike."""
    rows, columns = np.mgrid[:height, :width]
    grey: Image = (3 * rows + 5 * columns + 17).astype(np.uint8)
    if not channels:
        return grey
    return np.stack([np.roll(grey, 3 * k, axis=1) // (k + 1) for k in range(channels)], axis=-1)


def frame(
    payload: bytes | memoryview,
    *,
    codec: str = "raw",
    pixel_format: str = "Mono8",
    size: tuple[int, int] = (20, 24),
) -> Frame:
    header = FrameHeader(
        v=1,
        stream="s",
        seq=0,
        t_ns=0,
        height=size[0],
        width=size[1],
        format=PixelFormat(pixel_format),
        codec=Codec(codec),
    )
    return Frame("cam", header, memoryview(payload))


def pack(ending: str, image: Image, *flags: int) -> bytes:
    done, packed = cv2.imencode(ending, image, flags)
    assert done
    return packed.tobytes()


def chunk(name: bytes, content: bytes) -> bytes:
    crc = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)


def hand_made_png(
    width: int, height: int, rows: bytes, *, depth: int = 8, colour_type: int = 0
) -> bytes:
    size = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return PNG_START + chunks


def refusal_of(wrong: Frame) -> FrameError:
    with pytest.raises(FrameError) as caught:
        decode(wrong)
    return caught.value


def luma(red: int, green: int, blue: int) -> int:
    """ITU-R BT.601."""
    return round(0.299 * red + 0.587 * green + 0.114 * blue)


JPEG = pack(".jpg", ramp())
PNG = pack(".png", ramp())


def test_raw_mono8_is_a_view_on_the_payload() -> None:
    payload = ramp().tobytes()
    image = decode(frame(payload))
    assert np.array_equal(image, ramp())
    assert np.shares_memory(image, np.frombuffer(payload, np.uint8))


def test_raw_mono16_is_little_endian_and_keeps_its_upper_byte() -> None:
    image = decode(frame(b"\xff\x01\x00\x80", pixel_format="Mono16", size=(1, 2)))
    assert image.tolist() == [[0x01, 0x80]]


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (10, 200, 90)])
def test_raw_colour_becomes_its_luma(colour: tuple[int, int, int]) -> None:
    rgb, bgr = bytes(colour) * 6, bytes(reversed(colour)) * 6
    for pixels, name in ((rgb, "RGB8"), (bgr, "BGR8")):
        image = decode(frame(pixels, pixel_format=name, size=(2, 3)))
        assert image.shape == (2, 3)
        assert set(image.ravel().tolist()) == {luma(*colour)}


@pytest.mark.parametrize("pixel_format", ["Mono8", "Mono16", "RGB8", "BGR8"])
def test_a_raw_payload_of_another_size_is_refused(pixel_format: str) -> None:
    size = 20 * 24 * PixelFormat(pixel_format).bytes_per_pixel
    for wrong in (0, 1, size - 1, size + 1):
        error = refusal_of(frame(bytes(wrong), pixel_format=pixel_format))
        assert error.reason is RejectReason.PAYLOAD_SIZE


def test_a_damaged_payload_is_refused_by_its_checksum() -> None:
    right = frame(PNG, codec="png")
    header = right.header.model_copy(update={"crc32": zlib.crc32(PNG)})
    assert np.array_equal(decode(Frame("cam", header, right.payload)), ramp())
    damaged = PNG[:40] + bytes([PNG[40] ^ 1]) + PNG[41:]
    error = refusal_of(Frame("cam", header, memoryview(damaged)))
    assert error.reason is RejectReason.CRC32


def test_a_png_gives_its_pixels_exactly() -> None:
    assert np.array_equal(decode(frame(PNG, codec="png")), ramp())


@pytest.mark.parametrize(
    "flags",
    [
        (cv2.IMWRITE_JPEG_QUALITY, 100),
        (cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
        (cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_RST_INTERVAL, 1),
        (cv2.IMWRITE_JPEG_QUALITY, 100, cv2.IMWRITE_JPEG_OPTIMIZE, 1),
    ],
    ids=["baseline", "progressive", "restart markers", "optimised"],
)
@pytest.mark.parametrize("channels", [0, 3])
def test_a_jpeg_gives_its_pixels_nearly(flags: tuple[int, ...], channels: int) -> None:
    smooth = cv2.GaussianBlur(ramp(64, 96), (0, 0), 5)
    colour = smooth if channels == 0 else np.stack([smooth] * 3, axis=-1)
    image = decode(frame(pack(".jpg", colour, *flags), codec="jpeg", size=(64, 96)))
    assert np.abs(image.astype(int) - smooth).max() <= 3


def test_a_progressive_jpeg_is_progressive() -> None:
    """Control: OpenCV writes SOF2 when asked to."""
    progressive = pack(".jpg", ramp(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
    assert b"\xff\xc2" in progressive
    assert b"\xff\xc2" not in JPEG


def test_a_jpeg_may_have_comments_fill_bytes_and_padding() -> None:
    comment = b"\xff\xff\xfe\x00\x07hello"
    packed = JPEG[:2] + comment + JPEG[2:] + bytes(20)
    assert np.array_equal(decode(frame(packed, codec="jpeg")), decode(frame(JPEG, codec="jpeg")))


def test_rotation_in_exif_is_ignored() -> None:
    tiff = b"II*\x00\x08\x00\x00\x00\x01\x00" + struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + bytes(4)
    exif = b"Exif\x00\x00" + tiff
    turned = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + JPEG[2:]
    obeyed = cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert obeyed is not None
    assert obeyed.shape == (24, 20)  # control: OpenCV would turn it
    image = decode(frame(turned, codec="jpeg"))
    assert np.array_equal(image, decode(frame(JPEG, codec="jpeg")))


def test_a_png_of_16_bits_keeps_its_upper_byte() -> None:
    wide = ramp().astype(np.uint16) * 256 + 255
    image = decode(frame(pack(".png", wide), codec="png", pixel_format="Mono16"))
    assert np.array_equal(image, ramp())


@pytest.mark.parametrize("depth", [8, 16])
def test_a_png_with_an_alpha_channel_gives_its_luma(depth: int) -> None:
    image = ramp(channels=4)
    expected = cv2.cvtColor(image, cv2.COLOR_BGRA2GRAY)
    packed = pack(".png", image if depth == 8 else image.astype(np.uint16) * 256)
    assert np.array_equal(decode(frame(packed, codec="png", pixel_format="RGB8")), expected)


def test_a_grey_png_with_an_alpha_channel_gives_its_grey() -> None:
    rows = b"".join(b"\x00" + bytes([value, 255] * 3) for value in (10, 200))
    packed = hand_made_png(3, 2, rows, colour_type=4)
    assert decode(frame(packed, codec="png", size=(2, 3))).tolist() == [[10] * 3, [200] * 3]


def test_a_png_of_one_bit_gives_black_and_white() -> None:
    packed = hand_made_png(3, 2, b"\x00\xa0\x00\x40", depth=1)
    image = decode(frame(packed, codec="png", size=(2, 3)))
    assert image.tolist() == [[255, 0, 255], [0, 255, 0]]


@pytest.mark.parametrize(("packed", "codec"), [(JPEG, "jpeg"), (PNG, "png")])
@pytest.mark.parametrize("size", [(24, 20), (20, 23), (21, 24), (1, 1)])
def test_a_size_other_than_announced_is_refused(
    packed: bytes, codec: str, size: tuple[int, int]
) -> None:
    error = refusal_of(frame(packed, codec=codec, size=size))
    assert error.reason is RejectReason.DECODE
    assert "24x20" in error.detail


@pytest.mark.parametrize(("packed", "codec"), [(JPEG, "png"), (PNG, "jpeg")])
def test_one_codec_is_not_taken_for_another(packed: bytes, codec: str) -> None:
    assert refusal_of(frame(packed, codec=codec)).reason is RejectReason.DECODE


@pytest.mark.parametrize(
    ("packed", "codec"),
    [(JPEG, "jpeg"), (pack(".jpg", ramp(), cv2.IMWRITE_JPEG_PROGRESSIVE, 1), "jpeg"), (PNG, "png")],
    ids=["jpeg", "progressive jpeg", "png"],
)
def test_a_file_cut_short_anywhere_is_refused(packed: bytes, codec: str) -> None:
    for length in range(len(packed)):
        error = refusal_of(frame(packed[:length], codec=codec))
        assert error.reason is RejectReason.DECODE, length


def test_a_jpeg_cut_short_behind_its_thumbnail_is_refused() -> None:
    thumbnail = b"Exif\x00\x00" + JPEG
    packed = JPEG[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + JPEG[2:]
    assert decode(frame(packed, codec="jpeg")).shape == (20, 24)
    cut = packed[: packed.index(b"\xff\xd9") + 2]
    assert refusal_of(frame(cut, codec="jpeg")).reason is RejectReason.DECODE


def test_a_png_that_lacks_bytes_in_its_middle_is_refused() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (20, 24), np.uint8)
    packed = pack(".png", noise)
    for first in range(8, len(packed) - 20, 7):
        gap = packed[:first] + packed[first + 5 :]
        assert refusal_of(frame(gap, codec="png")).reason is RejectReason.DECODE, first


def test_a_png_with_too_few_rows_is_refused() -> None:
    packed = hand_made_png(24, 20, (b"\x00" + bytes(24)) * 19)
    assert refusal_of(frame(packed, codec="png")).reason is RejectReason.DECODE


def test_a_damaged_png_is_never_shown_with_other_pixels() -> None:
    for at in range(len(PNG)):
        damaged = PNG[:at] + bytes([PNG[at] ^ 0x55]) + PNG[at + 1 :]
        try:
            image = decode(frame(damaged, codec="png"))
        except FrameError as error:
            assert error.reason is RejectReason.DECODE  # noqa: PT017 - refused is right, too
        else:
            assert np.array_equal(image, ramp()), at


def test_a_small_png_can_not_claim_gigabytes() -> None:
    packed = hand_made_png(60_000, 60_000, bytes(100))
    assert compressed_size(packed, Codec.PNG) == (60_000, 60_000)
    error = refusal_of(frame(packed, codec="png"))
    assert error.reason is RejectReason.DECODE
    assert "the png is 60000x60000" in error.detail  # from its header, not from a decoder


def test_a_small_png_can_not_claim_a_chunk_of_gigabytes() -> None:
    claimed = (3 * 2**30).to_bytes(4, "big")
    for at in (8, 33, len(PNG) - 12):
        greedy = PNG[:at] + claimed + PNG[at + 4 :]
        with pytest.raises(FrameError, match="no whole png"):
            compressed_size(greedy, Codec.PNG)


def test_a_deep_png_is_refused_before_anything_is_reserved_for_it() -> None:
    deep = hand_made_png(13_000, 13_000, bytes(100), depth=16, colour_type=6)
    resident = Path("/proc/self/statm")
    before = int(resident.read_text().split()[1])
    with pytest.raises(FrameError, match="unpacks to 1352000000 bytes"):
        grey_from_file(deep)
    assert int(resident.read_text().split()[1]) - before < 4096  # pages: 16 MiB


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.7, 0.95])
def test_a_jpeg_that_ends_too_soon_is_damaged_though_it_says_that_it_ends(
    share: float, *, progressive: bool
) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (64, 96), np.uint8)
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)]
    packed = cv2.imencode(".jpg", noise, flags)[1].tobytes()
    cut = packed[: int(len(packed) * share)].rstrip(b"\xff") + b"\xff\xd9"
    assert grey_from_file(packed).shape == noise.shape  # control: it is whole
    with pytest.raises(FrameError, match="the JPEG is damaged"):
        grey_from_file(cut)


def test_damage_of_a_jpeg_is_an_error_and_not_a_line_on_stderr(
    capfd: pytest.CaptureFixture[str],
) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (64, 96), np.uint8)
    packed = bytearray(cv2.imencode(".jpg", noise)[1].tobytes())
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"\xff\xd0" * 20
    with pytest.raises(FrameError, match="the JPEG is damaged"):
        grey_from_file(bytes(packed))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("marker", [0xC3, 0xC9, 0xCA, 0xCB])
def test_a_jpeg_of_a_coding_that_nobody_sends_is_refused(marker: int) -> None:
    at = JPEG.index(b"\xff\xc0")
    renamed = JPEG[: at + 1] + bytes([marker]) + JPEG[at + 2 :]
    assert refusal_of(frame(renamed, codec="jpeg")).reason is RejectReason.DECODE


def test_the_size_is_read_without_decoding() -> None:
    assert compressed_size(PNG, Codec.PNG) == (24, 20)
    assert compressed_size(JPEG, Codec.JPEG) == (24, 20)
    no_pixels = PNG[:33] + PNG[-12:]
    assert compressed_size(no_pixels, Codec.PNG) == (24, 20)
    assert refusal_of(frame(no_pixels, codec="png")).reason is RejectReason.DECODE


@given(
    st.sampled_from(["jpeg", "png"]),
    st.sampled_from(
        [(b"", b""), (PNG_START, PNG[-8:]), (JPEG[:2], JPEG[-2:]), (PNG[:16], PNG[-8:])]
    ),
    st.binary(max_size=80),
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_no_bytes_raise_anything_but_a_frame_error(
    codec: str, wrapping: tuple[bytes, bytes], middle: bytes
) -> None:
    with pytest.raises(FrameError):
        decode(frame(wrapping[0] + middle + wrapping[1], codec=codec))


@given(st.integers(2, len(JPEG) - 1), st.binary(min_size=1, max_size=4))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_a_damaged_jpeg_raises_nothing_but_a_frame_error(at: int, wrong: bytes) -> None:
    try:
        image = decode(frame(JPEG[:at] + wrong + JPEG[at + len(wrong) :], codec="jpeg"))
    except FrameError as error:
        assert error.reason is RejectReason.DECODE  # noqa: PT017 - a decoder may also mend it
    else:
        assert image.shape == (20, 24)


@pytest.mark.parametrize("ending", [".bmp", ".tiff", ".pgm", ".webp"])
def test_other_image_files_are_read_too(ending: str) -> None:
    image = grey_from_file(pack(ending, ramp(), *lossless(ending)))
    assert np.array_equal(image, ramp())


def lossless(ending: str) -> tuple[int, ...]:
    return (cv2.IMWRITE_WEBP_QUALITY, 101) if ending == ".webp" else ()


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int16, np.int32])
def test_pixels_that_are_no_grey_values_are_refused(kind: type[np.generic]) -> None:
    image: GreyImage = ramp().astype(kind)
    with pytest.raises(FrameError, match="8 or 16 bits") as caught:
        grey_from_file(pack(".tiff", image))
    assert caught.value.reason is RejectReason.DECODE


@pytest.mark.parametrize("packed", [b"", b"\x00", b"no image at all"])
def test_what_is_no_image_file_is_refused(packed: bytes) -> None:
    with pytest.raises(FrameError) as caught:
        grey_from_file(packed)
    assert caught.value.reason is RejectReason.DECODE


def test_a_file_that_holds_another_size_than_it_says_is_refused() -> None:
    segments = cv2.imencode(".jpg", np.full((16, 16), 120, np.uint8))[1].tobytes()[2:]
    scan = segments.index(b"\xff\xda")
    claim = b"\xff\xc0\0\x0b\x08" + struct.pack(">HH", 256, 1600) + b"\x01\x01\x11\0"
    hidden = segments[:scan] + b"\xff\xe5" + struct.pack(">H", 2 + len(claim) + 2)
    lying = b"\xff\xd8\xff\0" + struct.pack(">H", 2 + len(hidden)) + hidden + claim + b"\0\0"
    lying += segments[scan:]
    assert compressed_size(lying, Codec.JPEG) == (1600, 256)  # control: it deceives the walker
    header = FrameHeader(
        v=1,
        stream="s",
        seq=0,
        t_ns=0,
        width=1600,
        height=256,
        format=PixelFormat.MONO8,
        codec=Codec.JPEG,
    )
    frame = Frame("top", header, memoryview(lying))
    with pytest.raises(FrameError) as caught:
        decode(frame)
    assert caught.value.reason is RejectReason.DECODE
