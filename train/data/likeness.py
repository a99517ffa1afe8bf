"""Finding strips that overlap or were taken twice, by how their brightness goes up and down."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.strips import Grey

HASH_HEIGHT = 8
HASH_WIDTH = 32
NEAR_BITS = 20
"""Of 256. Unrelated strips differ by 60 or more bits, but dark, featureless ones come closer."""
_BLOCK = 1024
"""Rows compared at once: all pairs of 12,568 strips would take gigabytes."""


def difference_hash(image: Grey) -> NDArray[np.bool_]:
    """Whether brightness rises from cell to cell along the strip: 256 bits (dHash, Krawetz 2013).

    A strip 4 times as wide as high gets square cells.
    """
    cells = cv2.resize(image, (HASH_WIDTH + 1, HASH_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.diff(cells.astype(np.int16), axis=1) > 0).ravel()


def near_duplicates(images: Sequence[Grey], *, bits: int = NEAR_BITS) -> NDArray[np.int64]:
    """Group number (N,) of each of N images (H, W): equal where near-equal hashes link them.

    A group's number is the row of its first image.
    """
    hashes = np.array([difference_hash(image) for image in images], np.float32)
    groups = np.arange(len(images))
    for start in range(0, len(images), _BLOCK):
        block = hashes[start : start + _BLOCK]
        distance = block @ (1 - hashes).T + (1 - block) @ hashes.T
        for row, column in np.argwhere(np.triu(distance <= bits, k=1 + start)):
            first, second = sorted((groups[start + row], groups[column]))
            if first != second:
                groups[groups == second] = first
    return groups
