"""Image files as a camera would send them.

JPEG and PNG travel as they are; what else OpenCV reads is unpacked to raw Mono8. What a file
is, its content decides, not its name.
"""

import os
import stat
import zlib
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.core.pixels import compressed_size, grey_from_file
from edge_daemon.core.wire import MAX_SIDE_PX, Codec, FrameHeader, PixelFormat, encode
from edge_daemon.errors import FrameError, RejectReason, SourceError

MAX_FILE_BYTES = 512 * 2**20
_SUFFIXES = frozenset(
    (
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".bmp",
        ".dib",
        ".tif",
        ".tiff",
        ".webp",
        ".pgm",
        ".ppm",
        ".pnm",
    )
)
_SIGNATURES = {b"\x89PNG": Codec.PNG, b"\xff\xd8\xff": Codec.JPEG}


@dataclass(frozen=True, slots=True)
class PackedImage:
    """An image, ready to be a frame's payload.

    Attributes:
        width: pixels.
        height: pixels.
        codec: of the payload; raw is Mono8.
        payload: its bytes.
    """

    width: int
    height: int
    codec: Codec
    payload: bytes


class ImageStream:
    """Numbers images as a camera does: frames and rows of one stream, without a gap.

    Args:
        camera: its id.
        stream: id of its start.
        checksum: put the payload's CRC-32 into the header.
    """

    def __init__(self, camera: str, stream: str, *, checksum: bool = False) -> None:
        self._camera = camera
        self._stream = stream
        self._checksum = checksum
        self._seq = 0
        self._first_line = 0
        self._height = 0

    def send(self, image: PackedImage, t_ns: int) -> list[bytes]:
        """Give the message for the next image, exposed at `t_ns` (ns since 1970 UTC)."""
        header = FrameHeader(
            v=1,
            stream=self._stream,
            seq=self._seq,
            t_ns=t_ns,
            width=image.width,
            height=image.height,
            format=PixelFormat.MONO8,
            codec=image.codec,
            first_line=self._first_line,
            crc32=zlib.crc32(image.payload) if self._checksum else None,
        )
        self._height = image.height
        self.miss()
        return [bytes(part) for part in encode(self._camera, header, image.payload)]

    def miss(self) -> None:
        """Leave out a frame, taken to be as high as the one before it."""
        self._seq += 1
        self._first_line += self._height


def list_images(folder: Path) -> tuple[Path, ...]:
    """Find the images of a folder in name order; hidden and other files and folders don't count.

    Raises:
        SourceError: the folder can't be read or has no image.
    """
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if _is_image_name(e.name) and not _is_folder(e)]
    except OSError as error:
        raise SourceError(f"{folder} can't be read: {error.strerror}") from error
    if not names:
        raise SourceError(
            f"{folder} has no images ({', '.join(sorted(_SUFFIXES))}); "
            "name a folder that has some, an image or a recording (.mcap)"
        )
    return tuple(folder / name for name in sorted(names, key=os.fsencode))


def printable_name(path: Path) -> str:
    """A file's name as text that can be written in UTF-8, whatever bytes it has."""
    return os.fsencode(path.name).decode("utf-8", "backslashreplace")


def read_image(path: Path) -> PackedImage:
    """Read an image file.

    Raises:
        FrameError: with reason ``unreadable``: missing, empty, cut short, no image, too large.
    """
    try:
        packed = _read_file(path)
        codec = next((c for start, c in _SIGNATURES.items() if packed.startswith(start)), Codec.RAW)
        if codec is Codec.RAW:
            return _unpacked(packed)
        width, height = compressed_size(packed, codec)
    except OSError as error:
        raise _unreadable(f"{error.strerror}") from error
    except FrameError as error:
        raise _unreadable(error.detail) from error
    _check_size(width, height)
    return PackedImage(width, height, codec, packed)


def _unpacked(packed: bytes) -> PackedImage:
    image = grey_from_file(packed)
    height, width = image.shape
    _check_size(width, height)
    return PackedImage(width, height, Codec.RAW, image.tobytes())


def _read_file(path: Path) -> bytes:
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _unreadable("not a file")
    if status.st_size > MAX_FILE_BYTES:
        raise _unreadable(f"{status.st_size} bytes; {MAX_FILE_BYTES} is the most")
    packed = path.read_bytes()
    if not packed:
        raise _unreadable("the file is empty")
    return packed


def _check_size(width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
        raise _unreadable(f"{width}x{height} pixels; a side has 1 to {MAX_SIDE_PX}")


def _unreadable(detail: str) -> FrameError:
    return FrameError(RejectReason.UNREADABLE, detail)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: one unreadable image, not a lost folder
        return False


def _is_image_name(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES
