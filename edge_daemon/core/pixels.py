"""From a payload to grey pixels.

The PFNC formats (GenICam Pixel Format Naming Convention 2.x) become 8-bit grey: Mono16 keeps its
upper byte, RGB8 and BGR8 their luma (ITU-R BT.601, as OpenCV and JPEG weigh it).

A JPEG is decoded by libjpeg-turbo itself: what that only warns of, such as data that end too soon,
OpenCV writes to stderr and calls the rest of the picture grey. A flipped bit inside the data often
gives no warning; the header's `crc32` finds it.
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from edge_daemon.core.bombs import check_jpeg_work, check_png_work
from edge_daemon.core.wire import MAX_SIDE_PX, Codec, Frame, Part, PixelFormat, check_payload
from edge_daemon.errors import FrameError, RejectReason

GreyImage: TypeAlias = NDArray[np.uint8]
"""(H, W) uint8, rows along the rolling direction, columns across the strip."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_HUFFMAN_8_BIT = frozenset((0xC0, 0xC1, 0xC2))
_JPEG_BARE_MARKERS = frozenset(range(0xD0, 0xD8)) | {0x01}
_PNG_SIZE_BYTES = slice(16, 24)
_PNG_CHUNK_BYTES = 12  # length, name and CRC, without the content
_PNG_DEPTH_AT, _PNG_COLOUR_AT = 24, 25
_PNG_CHANNELS = {0: 1, 2: 4, 3: 4, 4: 4, 6: 4}
"""Most channels that OpenCV gives for a colour type (PNG, 11.2.1): any but grey may have alpha."""
_PNG_DEEP = 16
_MARKER = 0xFF
MOST_DECODED_BYTES = 3 * MAX_SIDE_PX**2
"""Of a picture while it is unpacked: the largest colour picture that a header can announce."""


def decode(frame: Frame) -> GreyImage:
    """Unpack a frame's pixels as (H, W) uint8 grey.

    Raw Mono8 is a view on the payload, nothing is copied.

    Raises:
        FrameError: the payload doesn't hold what the header says.
    """
    check_payload(frame)
    if frame.header.codec is Codec.RAW:
        return _from_raw(frame)
    return _from_compressed(frame)


def _from_raw(frame: Frame) -> GreyImage:
    header = frame.header
    shape = (header.height, header.width)
    match header.format:
        case PixelFormat.MONO8:
            return np.frombuffer(frame.payload, np.uint8).reshape(shape)
        case PixelFormat.MONO16:
            wide = np.frombuffer(frame.payload, np.dtype("<u2")).reshape(shape)
            return _upper_byte(wide)
        case PixelFormat.RGB8 | PixelFormat.BGR8:
            colour = np.frombuffer(frame.payload, np.uint8).reshape(*shape, 3)
            code = cv2.COLOR_RGB2GRAY if header.format is PixelFormat.RGB8 else cv2.COLOR_BGR2GRAY
            return np.asarray(cv2.cvtColor(colour, code), np.uint8)


def _from_compressed(frame: Frame) -> GreyImage:
    header = frame.header
    width, height = compressed_size(frame.payload, header.codec)
    if (width, height) != (header.width, header.height):
        raise FrameError(
            RejectReason.DECODE,
            f"the {header.codec} is {width}x{height}, "
            f"its header says {header.width}x{header.height}",
        )
    image = grey_from_file(frame.payload)
    if image.shape != (height, width):  # a file can say one thing to us and another to its decoder
        raise FrameError(
            RejectReason.DECODE,
            f"the {header.codec} holds {image.shape[1]}x{image.shape[0]}, it says {width}x{height}",
        )
    return image


def grey_from_file(packed: Part) -> GreyImage:
    """Decode an image file's bytes as (H, W) uint8 grey; EXIF rotation is ignored.

    Raises:
        FrameError: it can't be read, or not without damage.
    """
    view = memoryview(packed)
    if view[:2] == _JPEG_START:
        return _grey_from_jpeg(packed)
    if view[: len(_PNG_SIGNATURE)] == _PNG_SIGNATURE:
        compressed_size(view, Codec.PNG)  # OpenCV reserves what a chunk claims to have
        _check_png_depth(view)
        check_png_work(view)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(packed, np.uint8), flags)
    except cv2.error as error:
        raise FrameError(RejectReason.DECODE, f"the image can't be decoded: {error}") from error
    if image is None:
        raise FrameError(RejectReason.DECODE, "the image can't be decoded: damaged or unknown")
    grey = _grey(_upper_byte(image))
    if grey is None:
        raise FrameError(
            RejectReason.DECODE,
            f"the image has {image.dtype} pixels of shape {image.shape[2:]}; "
            "8 or 16 bits of grey or colour are needed",
        )
    return grey


def _grey_from_jpeg(packed: Part) -> GreyImage:
    check_jpeg_work(packed)
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(packed)
        _check_unpacked(width * height)
        grey = simplejpeg.decode_jpeg(
            packed, colorspace="GRAY", fastdct=False, fastupsample=False, strict=True
        )
    except ValueError as error:
        raise FrameError(RejectReason.DECODE, f"the JPEG is damaged: {error}") from error
    return np.asarray(grey, np.uint8)[:, :, 0]


def _upper_byte(image: NDArray[Any]) -> NDArray[Any]:
    """Of 16-bit pixels, (H, W) or (H, W, C), what 8 bits hold; others stay as they are."""
    if image.dtype != np.uint16:
        return image
    halves = image.astype("<u2", copy=False).view(np.uint8)
    return halves.reshape(*image.shape, 2)[..., 1].copy()


def _grey(image: NDArray[Any]) -> GreyImage | None:
    """Luma of (H, W) grey, BGR or BGRA as OpenCV gives them; None of what else a TIFF may hold."""
    if image.dtype != np.uint8:
        return None
    codes = {(): None, (3,): cv2.COLOR_BGR2GRAY, (4,): cv2.COLOR_BGRA2GRAY}
    channels = image.shape[2:]
    if channels not in codes:
        return None
    code = codes[channels]
    return image if code is None else np.asarray(cv2.cvtColor(image, code), np.uint8)


def compressed_size(packed: Part, codec: Codec) -> tuple[int, int]:
    """Width and height that a JPEG or PNG announces, read without decoding a pixel.

    It keeps a small file from being blown up to gigabytes, and finds what was cut short: decoders
    fill the missing rest of an image with grey and call it good.

    Raises:
        FrameError: not such a file, or its end is missing.
    """
    view = memoryview(packed)
    size = _png_size(view) if codec is Codec.PNG else _jpeg_size(view)
    if size is None:
        raise FrameError(RejectReason.DECODE, f"the payload is no whole {codec} image")
    return size


def _png_size(view: memoryview) -> tuple[int, int] | None:
    """Walk the chunks to the end (PNG, 5.3): OpenCV reserves the memory that a length claims."""
    at = len(_PNG_SIGNATURE)
    if view[:at] != _PNG_SIGNATURE or view[-len(_PNG_END) :] != _PNG_END:
        return None
    while at + _PNG_CHUNK_BYTES < len(view):
        at += _PNG_CHUNK_BYTES + int.from_bytes(view[at : at + 4], "big")
    if at + _PNG_CHUNK_BYTES != len(view):
        return None
    fields = bytes(view[_PNG_SIZE_BYTES])
    return int.from_bytes(fields[:4], "big"), int.from_bytes(fields[4:], "big")


def _check_png_depth(view: memoryview) -> None:
    """Bound what OpenCV will reserve: a small file can unpack to eight bytes a pixel."""
    if len(view) <= _PNG_COLOUR_AT:
        return  # no decoder takes it
    fields = bytes(view[_PNG_SIZE_BYTES])
    width, height = int.from_bytes(fields[:4], "big"), int.from_bytes(fields[4:], "big")
    depth, colour = view[_PNG_DEPTH_AT], view[_PNG_COLOUR_AT]
    channels = _PNG_CHANNELS.get(colour, 4)
    _check_unpacked(width * height * channels * (2 if depth == _PNG_DEEP else 1))


def _check_unpacked(needed_bytes: int) -> None:
    if needed_bytes > MOST_DECODED_BYTES:
        raise FrameError(
            RejectReason.DECODE,
            f"the image unpacks to {needed_bytes} bytes, {MOST_DECODED_BYTES} at most; "
            "send 8-bit grey",
        )


def _jpeg_size(view: memoryview) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header (ITU-T T.81, B.2.2)."""
    whole = view[:2] == _JPEG_START and bytes(view[-64:]).rstrip(b"\x00").endswith(_JPEG_END)
    at = 2
    while whole and at + 9 <= len(view) and view[at] == _MARKER:
        marker = view[at + 1]
        if marker in _JPEG_FRAME_MARKERS:
            if marker not in _JPEG_HUFFMAN_8_BIT:
                return None  # arithmetic or lossless coding: decoders make noise of it
            fields = bytes(view[at + 5 : at + 9])
            return int.from_bytes(fields[2:], "big"), int.from_bytes(fields[:2], "big")
        bare = marker in _JPEG_BARE_MARKERS
        fill = marker == _MARKER
        length = int.from_bytes(bytes(view[at + 2 : at + 4]), "big")
        at += 1 if fill else 2 if bare else 2 + length
    return None
