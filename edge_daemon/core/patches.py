"""From the network's coarse grid to single pixels, where there is anything to see.

A pixel is interpolated between the four cells around it, so it is never more probable than all of
them. Of a class whose cells are at or below its threshold nothing is computed at full resolution,
and of the others only what lies around the cells above it: a clean frame costs one maximum per
class, and a defective one as much as its defects take up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.tiling import Probabilities

Plane: TypeAlias = NDArray[np.float32]
"""Probabilities of one class, (h, w) in cells or (H, W) in pixels."""

_APART_CELLS = 8
"""Empty columns between two windows. A pixel above a threshold lies less than one cell from the
middle of a cell above it, so two would be enough to part all regions. To look closer at some empty
columns costs less, though, than one more window."""


@dataclass(frozen=True, slots=True)
class Patch:
    """One class somewhere in a frame, at full resolution.

    Attributes:
        plane: number of the class's plane.
        top: its first row in the frame.
        left: its first column.
        probability: (rows, columns), right where `belongs` is set.
        belongs: (rows, columns) bool, whether a pixel is the class's.
    """

    plane: int
    top: int
    left: int
    probability: Plane
    belongs: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Frame:
    """The pixels that are asked for, and the grid over them, which begins `hidden_px` above."""

    height_px: int
    width_px: int
    hidden_px: int
    stride_px: int


@dataclass(frozen=True, slots=True)
class _Window:
    """A rectangle of the grid, in cells."""

    top: int
    left: int
    bottom: int
    right: int


def find_patches(
    probabilities: Probabilities,
    thresholds: Sequence[float],
    *,
    height_px: int,
    width_px: int,
    stride_px: int,
    first_row: int = 0,
) -> Iterator[Patch]:
    """All pixels above their class's threshold, in patches that no region of a class crosses.

    A pixel above the threshold of several classes belongs to the most probable one; of equals, to
    the first.

    Args:
        probabilities: (K, h, w), one plane per class.
        thresholds: K of them, 0..1.
        height_px: rows of the frame, H; h = ceil(H / stride).
        width_px: columns of the frame, W; w = ceil(W / stride).
        stride_px: pixels per cell, down and across.
        first_row: 0..H - 1; pixels above it belong to nothing, and it is row 0 of the patches.
    """
    skipped = max(first_row // stride_px - 1, 0)  # pixels depend on the row of cells above them
    grid = probabilities[:, skipped:]
    planes = [
        (number, cells, threshold)
        for number, (cells, threshold) in enumerate(zip(grid, thresholds, strict=True))
        if cells.max() > threshold
    ]
    if not planes:
        return
    hidden_px = first_row - skipped * stride_px
    frame = _Frame(height_px - first_row, width_px, hidden_px, stride_px)
    for window in _windows(np.any([cells > threshold for _, cells, threshold in planes], axis=0)):
        yield from _look_closer(planes, window, frame)


def _windows(above: NDArray[np.bool_]) -> Iterator[_Window]:
    """Windows side by side that hold all cells that are set, and one more cell each way."""
    h, w = above.shape
    columns = np.flatnonzero(above.any(axis=0))
    gaps = np.flatnonzero(columns[1:] - columns[:-1] > _APART_CELLS)
    firsts, lasts = columns[[0, *(gaps + 1)]].tolist(), columns[[*gaps, -1]].tolist()
    for first, last in zip(firsts, lasts, strict=True):
        _, top, _, rows = cv2.boundingRect(above[:, first : last + 1].view(np.uint8))
        yield _Window(
            top=max(top - 1, 0),
            left=max(first - 1, 0),
            bottom=min(top + rows + 1, h),
            right=min(last + 2, w),
        )


def _look_closer(
    planes: Sequence[tuple[int, Plane, float]], window: _Window, frame: _Frame
) -> Iterator[Patch]:
    """Patches of all classes in a window."""
    top = window.top * frame.stride_px - frame.hidden_px
    left = window.left * frame.stride_px
    asked = np.s_[max(-top, 0) : frame.height_px - top, : frame.width_px - left]
    found = []
    for number, cells, threshold in planes:
        inside = cells[window.top : window.bottom, window.left : window.right]
        if inside.max() > threshold:
            fine = _upsample(inside, frame.stride_px)[asked]
            found.append(Patch(number, max(top, 0), left, fine, fine > threshold))
    for first, second in combinations(found, 2):
        _settle_overlap(first, second)
    yield from found


def _upsample(cells: Plane, stride: int) -> Plane:
    """Bilinear with half-pixel centres, as torch's align_corners=False."""
    if stride == 1:
        return cells
    size = (cells.shape[1] * stride, cells.shape[0] * stride)
    return np.asarray(cv2.resize(cells, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _settle_overlap(first: Patch, second: Patch) -> None:
    """Leave each pixel of two patches of the same window to the more probable one."""
    first.belongs[second.belongs & (second.probability > first.probability)] = False
    second.belongs[first.belongs] = False
