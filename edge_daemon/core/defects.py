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
MOST_REGIONS = 500
"""Of one frame; of more only the largest are kept: such a frame is defective all over, and to tell
of every speck would hold up the line."""
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
        top_runs: its columns in its first row, where that reaches the frame's; else empty.
        bottom_runs: its columns in its last row, where that reaches the frame's; else empty.
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
class _Frame:
    """Where a window lies in its frame, in pixels, and how near to its border counts as there."""

    top: int
    left: int
    height_px: int
    reach_px: int


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
    stride_px: int,
    reach_px: int = 0,
) -> list[Region]:
    """Connected regions (8-neighbours) above their class's threshold, in the order of the classes.

    A pixel that is above the threshold of several classes goes to the most probable one. Regions
    below the minimum area are left out unless they reach the frame's first or last row, or nearly
    so: the rest of such a one may lie in the next frame.

    Args:
        probabilities: (K, h, w), one plane per class in the order of `classes`.
        classes: thresholds and areas.
        height_px: rows of the frame, H; h = ceil(H / stride).
        width_px: columns of the frame, W; w = ceil(W / stride).
        stride_px: pixels per cell, down and across.
        reach_px: a region that comes this close to the first or last row counts as reaching it;
            a network sees least at the border of a frame.
    """
    planes = [(p, c) for p, c in zip(probabilities, classes, strict=True) if p.max() > c.threshold]
    if not planes:
        return []
    active = np.stack([plane for plane, _ in planes])
    thresholds = np.array([c.threshold for _, c in planes], np.float32)[:, None, None]
    window = _window_around(np.asarray((active > thresholds).any(axis=0)))
    top, left = window.top * stride_px, window.left * stride_px
    fine = _upsample(active, window, stride_px)[:, : height_px - top, : width_px - left]
    belongs = fine > thresholds
    _settle_overlaps(belongs, fine)
    frame = _Frame(top, left, height_px, reach_px)
    found = [
        region
        for mask, probability, (_, defect_class) in zip(belongs, fine, planes, strict=True)
        for region in _components(mask, probability, defect_class, frame=frame)
    ]
    if len(found) <= MOST_REGIONS:
        return found
    return sorted(found, key=lambda region: region.area_px, reverse=True)[:MOST_REGIONS]


def paint(regions: Sequence[Region], *, height_px: int, width_px: int) -> ClassMask:
    """Class ids of the regions, (H, W) uint8, 0 elsewhere."""
    mask = np.zeros((height_px, width_px), np.uint8)
    for region in regions:
        x, y, w, h = region.bbox_xywh
        mask[y : y + h, x : x + w][region.pixels] = region.defect_class.id
    return mask


def _window_around(above: NDArray[np.bool_]) -> _Window:
    """Smallest window of cells that holds all that are set, one cell wider each way."""
    rows, columns = np.flatnonzero(above.any(axis=1)), np.flatnonzero(above.any(axis=0))
    h, w = above.shape
    return _Window(
        top=max(int(rows[0]) - 1, 0),
        left=max(int(columns[0]) - 1, 0),
        bottom=min(int(rows[-1]) + 2, h),
        right=min(int(columns[-1]) + 2, w),
    )


def _upsample(probabilities: Probabilities, window: _Window, stride: int) -> Probabilities:
    """Bilinear with half-pixel centres, as torch's align_corners=False: (K, rows, columns)."""
    cells = probabilities[:, window.top : window.bottom, window.left : window.right]
    if stride == 1:
        return cells
    size = (cells.shape[2] * stride, cells.shape[1] * stride)
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in cells])


def _settle_overlaps(belongs: NDArray[np.bool_], fine: Probabilities) -> None:
    """Leave each pixel to its most probable class; only the few that are contested cost time."""
    contested = belongs.sum(axis=0, dtype=np.uint8) > 1
    if contested.any():
        winner = np.where(belongs[:, contested], fine[:, contested], 0.0).argmax(axis=0)
        belongs[:, contested] = winner == np.arange(len(belongs))[:, None]


def _components(
    belongs: NDArray[np.bool_],
    probability: NDArray[np.float32],
    defect_class: DefectClass,
    *,
    frame: "_Frame",
) -> Iterator[Region]:
    """Regions of one class in a window of the frame."""
    inner_x, inner_y, inner_w, inner_h = cv2.boundingRect(belongs.view(np.uint8))
    if inner_w == 0:  # another class has won every pixel
        return
    inner = np.s_[inner_y : inner_y + inner_h, inner_x : inner_x + inner_w]
    belongs, probability = belongs[inner], probability[inner]
    top, left = frame.top + inner_y, frame.left + inner_x
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        belongs.view(np.uint8), connectivity=8
    )
    for label in range(1, count):
        x, y, w, h, area = (int(value) for value in stats[label])
        at_top = top + y <= frame.reach_px
        at_bottom = top + y + h >= frame.height_px - frame.reach_px
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
