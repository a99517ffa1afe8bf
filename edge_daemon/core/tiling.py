"""Cover a frame of any size with 256 x 1600 strips, and stitch what the network says of them.

Strips lie edge to edge where the frame is a multiple of their size and overlap evenly where it is
not. A frame smaller than a strip is padded by mirroring, so that the pad looks like steel rather
than like an edge. All offsets are multiples of the network's output stride, so that its coarse
grids fall onto one grid for the whole frame. Where strips overlap, their probabilities are
averaged with weights that fall towards a strip's border: the network knows least there, and no
seam shows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage

STRIP_HEIGHT_PX = 256
STRIP_WIDTH_PX = 1600

Strips: TypeAlias = NDArray[np.uint8]
"""(N, 1, 256, 1600) uint8: what the network takes."""
Probabilities: TypeAlias = NDArray[np.float32]
"""(N, K, h, w) per strip or (K, h, w) per frame, 0..1, on the grid of the output stride."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """Where the strips of one frame size lie.

    Attributes:
        height_px: rows of the frame.
        width_px: columns of the frame.
        stride_px: pixels per cell of the network's output, down and across.
        padded_height_px: rows once padded: a multiple of the stride, a strip's at least.
        padded_width_px: columns once padded.
        rows: first row of each row of strips, in the padded frame.
        columns: first column of each column of strips.
    """

    height_px: int
    width_px: int
    stride_px: int
    padded_height_px: int
    padded_width_px: int
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def count(self) -> int:
        """Strips per frame."""
        return len(self.rows) * len(self.columns)

    def corners(self) -> Iterator[tuple[int, int]]:
        """First row and first column of each strip, row by row: the order of the batch."""
        for row in self.rows:
            for column in self.columns:
                yield row, column


def plan_tiling(height_px: int, width_px: int, *, stride_px: int) -> Tiling:
    """Lay strips over a frame.

    Args:
        height_px: rows of the frame, 1 or more.
        width_px: columns of the frame, 1 or more.
        stride_px: the network's output stride; divides 256 and 1600.
    """
    padded_height = max(STRIP_HEIGHT_PX, _round_up(height_px, stride_px))
    padded_width = max(STRIP_WIDTH_PX, _round_up(width_px, stride_px))
    return Tiling(
        height_px,
        width_px,
        stride_px,
        padded_height_px=padded_height,
        padded_width_px=padded_width,
        rows=_offsets(padded_height, STRIP_HEIGHT_PX, stride_px),
        columns=_offsets(padded_width, STRIP_WIDTH_PX, stride_px),
    )


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _offsets(length: int, window: int, step: int) -> tuple[int, ...]:
    """Fewest windows that cover the length, spread evenly on multiples of the step."""
    count = -(-length // window)
    slack = (length - window) // step
    return tuple(round(slack * i / max(count - 1, 1)) * step for i in range(count))


def cut(image: GreyImage, tiling: Tiling) -> list[GreyImage]:
    """The frame's strips, each (256, 1600) uint8, row by row.

    They are views: nothing is copied unless the frame has to be padded.
    """
    padded = pad(image, tiling)
    return [
        padded[row : row + STRIP_HEIGHT_PX, column : column + STRIP_WIDTH_PX]
        for row, column in tiling.corners()
    ]


def pad(image: GreyImage, tiling: Tiling) -> GreyImage:
    """Mirror the frame beyond its lower and right edge up to the padded size."""
    below = tiling.padded_height_px - tiling.height_px
    right = tiling.padded_width_px - tiling.width_px
    if below == 0 and right == 0:
        return image
    padded = cv2.copyMakeBorder(image, 0, below, 0, right, cv2.BORDER_REFLECT)
    return np.asarray(padded, np.uint8)


def stitch(strips: Sequence[Probabilities] | Probabilities, tiling: Tiling) -> Probabilities:
    """One grid of probabilities for the frame.

    Args:
        strips: (N, K, h, w), in the order of `cut`.
        tiling: the plan that cut them.

    Returns:
        (K, ceil(H / stride), ceil(W / stride)) float32; the pad is cut away.
    """
    stride = tiling.stride_px
    h, w = -(-tiling.height_px // stride), -(-tiling.width_px // stride)
    if tiling.count == 1:
        return np.asarray(strips[0][:, :h, :w], np.float32)
    weight, total_weight = _weights(tiling)
    (rows, columns), classes = weight.shape, len(strips[0])
    sums = np.zeros((classes, *total_weight.shape), np.float32)
    for strip, (row, column) in zip(strips, tiling.corners(), strict=True):
        top, left = row // stride, column // stride
        window = sums[:, top : top + rows, left : left + columns]
        for plane, weighted_sum in zip(strip, window, strict=True):
            cv2.accumulateProduct(plane, weight, weighted_sum)
    sums /= total_weight
    return sums[:, :h, :w]


@lru_cache(maxsize=4)  # one total is as large as a plane of a frame
def _weights(tiling: Tiling) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weight of each cell of a strip, and the sum of these over each cell of the padded frame."""
    stride = tiling.stride_px
    weight = _border_weight(STRIP_HEIGHT_PX // stride, STRIP_WIDTH_PX // stride)
    rows, columns = weight.shape
    shape = (tiling.padded_height_px // stride, tiling.padded_width_px // stride)
    total = np.zeros(shape, np.float32)
    for row, column in tiling.corners():
        top, left = row // stride, column // stride
        total[top : top + rows, left : left + columns] += weight
    return weight, total


def _border_weight(h: int, w: int) -> NDArray[np.float32]:
    """(h, w): distance to the nearest border in cells, 1 or more."""
    down = np.minimum(np.arange(1, h + 1), np.arange(h, 0, -1))
    across = np.minimum(np.arange(1, w + 1), np.arange(w, 0, -1))
    return np.minimum(down[:, None], across[None, :]).astype(np.float32)
