"""Masks of a folder with `images/` and `masks/`: one PNG per image, named alike but for the suffix.

A pixel's value is its class number, 0 for none; the PNG is grey (1 to 8 bits) or has a palette, in
which case the index counts and not the colour. Every image has its mask; one of zeros only says
that the strip is free of defects.
"""

import io
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from train.data.image_files import ImageFileError, check_whole, list_files, read_bytes
from train.data.labels import Labels
from train.data.strips import ClassMap, Fault, Grey

FOLDER = "masks"
_BIT_DEPTH_BYTE, _COLOUR_TYPE_BYTE = 24, 25
_GREY_TYPE = 0
_PNG_ERRORS = (OSError, SyntaxError, ValueError, EOFError, zlib.error, struct.error)
"""What Pillow raises for a damaged PNG, most of it from deep inside."""


def read_labels(root: Path, images: Mapping[str, Grey | None], *, class_count: int) -> Labels:
    """Read the mask of each of these images; None stands for one that couldn't be decoded."""
    labels = Labels()
    listing = list_files(root / FOLDER, suffixes=(".png",))
    labels.faults += listing.faults
    masks = {path.stem: path for path in listing.paths.values()}
    for name, image in images.items():
        path = masks.pop(Path(name).stem, None)
        if path is None:
            what = f"has no mask {FOLDER}/{Path(name).stem}.png; one of zeros means no defects"
            labels.note(name, what, image=name)
            continue
        try:
            class_map = _read_mask(path, image, class_count=class_count)
        except ImageFileError as error:
            labels.note(f"{FOLDER}/{path.name}", str(error), image=name)
            continue
        if class_map.any():
            labels.maps[name] = class_map
    for path in masks.values():
        labels.faults.append(Fault(f"{FOLDER}/{path.name}", "there is no image of this name"))
    return labels


def _read_mask(path: Path, image: Grey | None, *, class_count: int) -> ClassMap:
    packed = read_bytes(path)
    size = check_whole(packed)
    if size is None or not packed.startswith(b"\x89PNG"):
        raise ImageFileError("is no PNG, whatever its name says")
    if image is not None and size != image.shape[::-1]:
        expected = f"{image.shape[1]} x {image.shape[0]}"
        raise ImageFileError(f"is {size[0]} x {size[1]}, its image is {expected}")
    values = _read_indices(packed)
    odd = np.unique(values[(values < 0) | (values > class_count)])
    if odd.size:
        found = ", ".join(map(str, odd[:5].tolist()))
        raise ImageFileError(f"has pixels of class {found}, expected 0..{class_count}")
    return values.astype(np.uint8)


def _read_indices(packed: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The numbers in a PNG, (H, W). OpenCV would turn a palette into colours."""
    try:
        with Image.open(io.BytesIO(packed), formats=("PNG",)) as png:
            mode, values = png.mode, np.asarray(png)
    except (*_PNG_ERRORS, Image.DecompressionBombError) as error:
        raise ImageFileError(f"can't be decoded: {error}") from error
    if values.ndim != 2:  # noqa: PLR2004 - (H, W)
        raise ImageFileError(
            f"holds colours ({mode}); expected class numbers, as a palette or a grey PNG"
        )
    values = values.astype(np.int64)
    if packed[_COLOUR_TYPE_BYTE] == _GREY_TYPE and packed[_BIT_DEPTH_BYTE] in (2, 4):
        # few-bit grey comes stretched to 0..255
        values //= 255 // (2 ** packed[_BIT_DEPTH_BYTE] - 1)
    return values
