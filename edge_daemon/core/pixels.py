"""From a payload to grey pixels.

The PFNC formats (GenICam Pixel Format Naming Convention 2.x) become 8-bit grey: Mono16 keeps its
upper byte, RGB8 and BGR8 their luma (ITU-R BT.601, as OpenCV and JPEG weigh it).
"""

from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.wire import Codec, Frame, Part, PixelFormat, check_payload
from edge_daemon.errors import FrameError, RejectReason

GreyImage: TypeAlias = NDArray[np.uint8]
"""(H, W) uint8, rows along the rolling direction, columns across the strip."""

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_BARE_MARKERS = frozenset(range(0xD0, 0xD8)) | {0x01}
_PNG_SIZE_BYTES = slice(16, 24)
_PNG_CHUNK_BYTES = 12  # length, name and CRC, without the content
_MARKER = 0xFF


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
            return (wide >> 8).astype(np.uint8)
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
        FrameError: OpenCV can't read it.
    """
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


def _upper_byte(image: NDArray[Any]) -> NDArray[Any]:
    return (image >> 8).astype(np.uint8) if image.dtype == np.uint16 else image


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


def _jpeg_size(view: memoryview) -> tuple[int, int] | None:
    """Walk the marker segments to the frame header (ITU-T T.81, B.2.2)."""
    whole = view[:2] == _JPEG_START and bytes(view[-64:]).rstrip(b"\x00").endswith(_JPEG_END)
    at = 2
    while whole and at + 9 <= len(view) and view[at] == _MARKER:
        marker = view[at + 1]
        if marker in _JPEG_FRAME_MARKERS:
            fields = bytes(view[at + 5 : at + 9])
            return int.from_bytes(fields[2:], "big"), int.from_bytes(fields[:2], "big")
        bare = marker in _JPEG_BARE_MARKERS
        fill = marker == _MARKER
        length = int.from_bytes(bytes(view[at + 2 : at + 4]), "big")
        at += 1 if fill else 2 if bare else 2 + length
    return None
