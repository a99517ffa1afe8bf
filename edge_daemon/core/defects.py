"""From probabilities to regions: threshold, connected components, minimum area."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.patches import Patch, find_patches
from edge_daemon.core.records import ClassMask
from edge_daemon.core.tiling import Probabilities

Severity: TypeAlias = Literal["minor", "major", "critical"]
MOST_REGIONS = 500
"""Of one frame; of more only the largest are kept: such a frame is defective all over, and to tell
of every speck would hold up the line."""
Runs: TypeAlias = tuple[tuple[int, int], ...]
"""Columns of one row as (first, last + 1) pairs."""
_PARENT = 3
"""Column of OpenCV's hierarchy of outlines: of a hole's, which one is around it; else below 0."""


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
class _Rows:
    """The rows that are looked at: how many, and how near to the first or last counts as there."""

    height_px: int
    reach_px: int


def find_regions(
    probabilities: Probabilities,
    classes: Sequence[DefectClass],
    *,
    height_px: int,
    width_px: int,
    stride_px: int,
    reach_px: int = 0,
    first_row: int = 0,
) -> list[Region]:
    """Connected regions (8-neighbours) above their class's threshold.

    They come in the order of the classes, and those of a class in that of their first pixels, row
    by row. A pixel that is above the threshold of several classes goes to the most probable one.
    Regions below the minimum area are left out unless they reach the first or last row, or nearly
    so: the rest of such a one may lie in the next frame.

    Args:
        probabilities: (K, h, w), one plane per class in the order of `classes`.
        classes: thresholds and areas.
        height_px: rows of the frame, H; h = ceil(H / stride).
        width_px: columns of the frame, W; w = ceil(W / stride).
        stride_px: pixels per cell, down and across.
        reach_px: a region that comes this close to the first or last row counts as reaching it;
            a network sees least at the border of a frame.
        first_row: 0..H - 1. Rows above it have been inspected with the frame before, so their
            pixels belong to nothing; it is the first row in all that is said here, and row 0 in
            what is returned.
    """
    patches = find_patches(
        probabilities,
        [one.threshold for one in classes],
        height_px=height_px,
        width_px=width_px,
        stride_px=stride_px,
        first_row=first_row,
    )
    rows = _Rows(height_px - first_row, reach_px)
    found = [
        (patch.plane, region)
        for patch in patches
        for region in _regions_of(patch, classes[patch.plane], rows)
    ]
    found.sort(key=lambda one: (one[0], _first_pixel(one[1])))
    regions = [region for _, region in found]
    if len(regions) <= MOST_REGIONS:
        return regions
    return sorted(regions, key=lambda region: region.area_px, reverse=True)[:MOST_REGIONS]


def paint(regions: Sequence[Region], *, height_px: int, width_px: int) -> ClassMask:
    """Class ids of the regions, (H, W) uint8, 0 elsewhere."""
    mask = np.zeros((height_px, width_px), np.uint8)
    for region in regions:
        x, y, w, h = region.bbox_xywh
        mask[y : y + h, x : x + w][region.pixels] = region.defect_class.id
    return mask


def _regions_of(patch: Patch, defect_class: DefectClass, rows: _Rows) -> Iterator[Region]:
    """Regions of one class in a patch."""
    for x, y, pixels in _components(patch.belongs):
        h, w = pixels.shape
        left, top = patch.left + x, patch.top + y
        at_top = top <= rows.reach_px
        at_bottom = top + h >= rows.height_px - rows.reach_px
        area = int(np.count_nonzero(pixels))
        if area < defect_class.min_area_px and not (at_top or at_bottom):
            continue
        total = patch.probability[y : y + h, x : x + w][pixels].sum(dtype=np.float64)
        yield Region(
            defect_class,
            bbox_xywh=(left, top, w, h),
            area_px=area,
            score=float(total) / area,
            top_runs=_runs(pixels[0], left) if at_top else (),
            bottom_runs=_runs(pixels[-1], left) if at_bottom else (),
            pixels=pixels,
        )


def _components(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """Left column, top row and pixels (h, w) of each component, within its bounding box.

    Outlines run along a component's own pixels, so what is filled between the outer one and those
    of the holes is just the component. Labelling takes longer: it writes to every pixel of the
    mask, and its statistics read each of them again.
    """
    outlines, nesting = cv2.findContours(
        mask.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
    )
    if not outlines:  # other classes have won every pixel
        return
    parents = nesting[0, :, _PARENT].tolist()
    shapes = {n: [outlines[n]] for n, parent in enumerate(parents) if parent < 0}
    for outline, parent in zip(outlines, parents, strict=True):
        if parent >= 0:
            shapes[parent].append(outline)
    for shape in shapes.values():
        x, y, w, h = cv2.boundingRect(shape[0])
        filled = np.zeros((h, w), np.uint8)
        cv2.fillPoly(filled, shape, 1, offset=(-x, -y))
        yield x, y, filled.view(np.bool_)


def _runs(row: NDArray[np.bool_], offset: int) -> Runs:
    """Runs of True in a row, shifted by the offset."""
    padded = np.zeros(row.size + 2, np.bool_)
    padded[1:-1] = row
    edges = (np.flatnonzero(padded[1:] != padded[:-1]) + offset).tolist()
    return tuple(zip(edges[::2], edges[1::2], strict=True))


def _first_pixel(region: Region) -> tuple[int, int]:
    """Row and column of the region's first pixel."""
    x, y, _, _ = region.bbox_xywh
    return y, x + int(region.pixels[0].argmax())
