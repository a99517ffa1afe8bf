"""From probabilities to regions: threshold, connected components, minimum area.

The network answers on a coarse grid. A class whose coarse cells all stay at or below its threshold
can't exceed it anywhere once interpolated (bilinear values lie between their neighbours), so a
clean frame costs one maximum per class and nothing at full resolution.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.records import ClassMask
from edge_daemon.core.tiling import Probabilities

Severity: TypeAlias = Literal["minor", "major", "critical"]
Runs: TypeAlias = tuple[tuple[int, int], ...]
"""Columns of one row as (first, last + 1) pairs."""


@dataclass(frozen=True, slots=True)
class DefectClass:
    """One class of defect as the bundle defines it.

    Attributes:
        id: its number, 1..255, also in masks.
        name: for people and dashboards.
        threshold: a pixel belongs to the class above this probability.
        min_area_px: a defect below this many pixels is not announced.
        severity: minor, major or critical.
    """

    id: int
    name: str
    threshold: float
    min_area_px: int
    severity: Severity


@dataclass(frozen=True, slots=True)
class Region:
    """A connected region of one class within one frame.

    Attributes:
        defect_class: its class.
        bbox_xywh: left column, top row, columns, rows.
        area_px: pixels.
        score: mean probability of its pixels, 0..1.
        top_runs: its columns in the frame's first row; empty where it doesn't reach it.
        bottom_runs: its columns in the frame's last row.
        pixels: (h, w) bool within the bounding box.
    """

    defect_class: DefectClass
    bbox_xywh: tuple[int, int, int, int]
    area_px: int
    score: float
    top_runs: Runs
    bottom_runs: Runs
    pixels: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class _Window:
    """A rectangle of the frame that holds all cells above a threshold, in cells."""

    top: int
    left: int
    bottom: int
    right: int


def find_regions(
    probabilities: Probabilities,
    classes: Sequence[DefectClass],
    *,
    height_px: int,
    width_px: int,
) -> list[Region]:
    """Connected regions (8-neighbours) above their class's threshold, largest class number last.

    A pixel that is above the threshold of several classes goes to the most probable one. Regions
    below the minimum area are left out unless they reach the frame's first or last row: the rest
    of such a one may lie in the next frame.

    Args:
        probabilities: (K, h, w), one plane per class in the order of `classes`.
        classes: thresholds and areas.
        height_px: rows of the frame, H; h * stride or a little less.
        width_px: columns of the frame, W.
    """
    window = _window_above(probabilities, classes)
    if window is None:
        return []
    stride = -(-height_px // probabilities.shape[1])
    fine = _upsample(probabilities, window, stride)
    top, left = window.top * stride, window.left * stride
    fine = fine[:, : height_px - top, : width_px - left]
    thresholds = np.array([c.threshold for c in classes], np.float32)[:, None, None]
    winner = np.where(fine > thresholds, fine, 0.0).argmax(axis=0)
    found: list[Region] = []
    for plane, defect_class in enumerate(classes):
        belongs = (winner == plane) & (fine[plane] > defect_class.threshold)
        found += _components(
            belongs, fine[plane], defect_class, top=top, left=left, height_px=height_px
        )
    return found


def paint(regions: Sequence[Region], *, height_px: int, width_px: int) -> ClassMask:
    """Class ids of the regions, (H, W) uint8, 0 elsewhere."""
    mask = np.zeros((height_px, width_px), np.uint8)
    for region in regions:
        x, y, w, h = region.bbox_xywh
        mask[y : y + h, x : x + w][region.pixels] = region.defect_class.id
    return mask


def _window_above(probabilities: Probabilities, classes: Sequence[DefectClass]) -> _Window | None:
    """Smallest window of cells with all that exceeds a threshold, one cell wider each way."""
    above = np.zeros(probabilities.shape[1:], bool)
    for plane, defect_class in zip(probabilities, classes, strict=True):
        if plane.max() > defect_class.threshold:
            above |= plane > defect_class.threshold
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    if rows.size == 0:
        return None
    h, w = above.shape
    return _Window(
        top=max(rows[0] - 1, 0),
        left=max(columns[0] - 1, 0),
        bottom=min(rows[-1] + 2, h),
        right=min(columns[-1] + 2, w),
    )


def _upsample(probabilities: Probabilities, window: _Window, stride: int) -> Probabilities:
    """Bilinear with half-pixel centres, as torch's align_corners=False: (K, rows, columns)."""
    cells = probabilities[:, window.top : window.bottom, window.left : window.right]
    if stride == 1:
        return cells
    size = (cells.shape[2] * stride, cells.shape[1] * stride)
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in cells])


def _components(
    belongs: NDArray[np.bool_],
    probability: NDArray[np.float32],
    defect_class: DefectClass,
    *,
    top: int,
    left: int,
    height_px: int,
) -> Iterator[Region]:
    """Regions of one class in a window whose corner lies at (top, left) of the frame."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        belongs.view(np.uint8), connectivity=8
    )
    for label in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[label])
        at_top, at_bottom = top + y == 0, top + y + h == height_px
        if area < defect_class.min_area_px and not (at_top or at_bottom):
            continue
        pixels = labels[y : y + h, x : x + w] == label
        yield Region(
            defect_class,
            bbox_xywh=(left + x, top + y, w, h),
            area_px=area,
            score=float(probability[y : y + h, x : x + w][pixels].mean(dtype=np.float64)),
            top_runs=_runs(pixels[0], left + x) if at_top else (),
            bottom_runs=_runs(pixels[-1], left + x) if at_bottom else (),
            pixels=pixels,
        )


def _runs(row: NDArray[np.bool_], offset: int) -> Runs:
    """Runs of True in a row, shifted by the offset."""
    edges = np.flatnonzero(np.diff(row.astype(np.int8), prepend=0, append=0)) + offset
    return tuple((int(a), int(b)) for a, b in edges.reshape(-1, 2))
