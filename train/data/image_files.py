"""Image files of a data set: which there are, and their pixels.

OpenCV reads a file that was cut short and fills what is missing with grey, so the structure of PNG
and JPEG is walked to the end first.
"""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_daemon.core.pixels import compressed_size
from edge_daemon.core.wire import MAX_SIDE_PX, Codec
from edge_daemon.errors import FrameError
from train.data.strips import Fault, Grey

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
JPEG_ROUNDING = 2
"""Grey values by which the channels of a grey picture may differ after JPEG."""
_SIGNATURES = {b"\x89PNG": Codec.PNG, b"\xff\xd8\xff": Codec.JPEG}


class ImageFileError(ValueError):
    """A file's pixels can't be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a folder whose names end as wanted.

    Attributes:
        paths: by file name, sorted.
        faults: names that can't be used.
    """

    paths: dict[str, Path]
    faults: tuple[Fault, ...]


def list_files(folder: Path, *, suffixes: tuple[str, ...]) -> Listing:
    """List a folder; hidden files don't count. What is not an image is a warning."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((e.name, e.is_file()) for e in entries if not e.name.startswith("."))
    except OSError as error:
        return Listing({}, (Fault(f"{folder.name}/", f"can't be read: {error.strerror}"),))
    paths: dict[str, Path] = {}
    faults: list[Fault] = []
    for name, is_file in found:
        where = f"{folder.name}/{_printable(name)}"
        if not is_file:
            faults.append(Fault(where, "is not a file; only files right here are read"))
        elif _printable(name) != name:
            faults.append(Fault(where, "the name isn't UTF-8; rename the file"))
        elif Path(name).suffix.lower() not in suffixes:
            wanted = " ".join(suffixes)
            faults.append(
                Fault(where, f"is not read: its name ends in none of {wanted}", "warning")
            )
        else:
            paths[name] = folder / name
    return Listing(paths, (*faults, *_same_stems(paths, folder)))


def _same_stems(paths: dict[str, Path], folder: Path) -> tuple[Fault, ...]:
    counts = Counter(Path(name).stem for name in paths)
    return tuple(
        Fault(f"{folder.name}/{stem}.*", f"{count} files differ in their suffix only; keep one")
        for stem, count in counts.items()
        if count > 1
    )


def _printable(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def read_bytes(path: Path) -> bytes:
    """Read a file that has something in it.

    Raises:
        ImageFileError: it can't be read or is empty.
    """
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise ImageFileError(f"can't be read: {error.strerror}") from error
    if not packed:
        raise ImageFileError("the file is empty")
    return packed


def check_whole(packed: bytes) -> tuple[int, int] | None:
    """Width and height that a PNG or JPEG announces, None for other formats.

    Raises:
        ImageFileError: the file is cut short, or announces more than a strip can have: then a few
            bytes may unpack to gigabytes.
    """
    codec = next((c for start, c in _SIGNATURES.items() if packed.startswith(start)), None)
    if codec is None:
        return None
    try:
        width, height = compressed_size(packed, codec)
    except FrameError as error:
        raise ImageFileError(f"is cut short or damaged: no whole {codec.upper()}") from error
    if not (1 <= width <= MAX_SIDE_PX and 1 <= height <= MAX_SIDE_PX):
        raise ImageFileError(f"is {width} x {height}; a side has 1 to {MAX_SIDE_PX} pixels")
    return width, height


def read_grey(path: Path) -> Grey:
    """Read an image file as (H, W) grey values; EXIF rotation is ignored, as the daemon does.

    Raises:
        ImageFileError: it can't be read or decoded, has colours or isn't 8 bits deep.
    """
    packed = read_bytes(path)
    check_whole(packed)
    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(packed, np.uint8), flags)
    except cv2.error as error:
        raise ImageFileError(f"can't be decoded: {error.err}") from error
    if image is None:
        raise ImageFileError("can't be decoded: damaged, or no image")
    if image.dtype != np.uint8:
        raise ImageFileError(f"has {image.dtype} pixels; save it with 8 bits per pixel")
    if image.ndim == 3:  # noqa: PLR2004 - (H, W, channels): grey is stored as equal channels
        return _one_channel(np.asarray(image[:, :, :3], np.uint8))
    return np.asarray(image, np.uint8)


def _one_channel(image: Grey) -> Grey:
    first, *others = cv2.split(image)
    if any(cv2.absdiff(first, other).max() > JPEG_ROUNDING for other in others):
        raise ImageFileError("is coloured, expected grey")
    return np.asarray(first, np.uint8)
