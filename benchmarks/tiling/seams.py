"""One defect at many places of a frame: how often is it reported as one?

The network here sees every defect perfectly, so what is broken up was broken up by tiling.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.report import Findings
from benchmarks.tiling.bright import clean_steel, draw
from benchmarks.tiling.ways import Way
from edge_daemon.core.pixels import GreyImage

COLUMNS: Final = ("way", "defect", "places", "as one", "in pieces", "most pieces", "unseen")


@dataclass(frozen=True, slots=True)
class Shape:
    """A rectangular defect: rows along the rolling direction x columns."""

    name: str
    height_px: int
    width_px: int


def shapes_for(height_px: int, width_px: int) -> tuple[Shape, ...]:
    """A spot, a patch, and a scratch most of the frame long, either way."""
    return (
        Shape("spot 24x24", 24, 24),
        Shape("patch 120x200", min(120, height_px), min(200, width_px)),
        Shape("scratch along", height_px * 7 // 8, 12),
        Shape("scratch across", 12, width_px * 7 // 8),
    )


def count_pieces(ways: Sequence[Way], height_px: int, width_px: int, *, places: int) -> Findings:
    """Put each shape to some places, the same for all ways, one at a time.

    Args:
        ways: contestants.
        height_px: rows of the frame.
        width_px: columns of the frame.
        places: per shape.
    """
    steel = clean_steel(height_px, width_px)
    rows = []
    for shape in shapes_for(height_px, width_px):
        frames = list(_frames(steel, shape, places))
        for way in ways:
            pieces = Counter(way.find(frame) for frame in frames)
            broken = sum(times for count, times in pieces.items() if count > 1)
            rows.append((way.name, shape.name, places, pieces[1], broken, max(pieces), pieces[0]))
    return Findings(
        "One defect somewhere on the frame", COLUMNS, tuple(tuple(map(str, row)) for row in rows)
    )


def _frames(steel: GreyImage, shape: Shape, places: int) -> Iterator[GreyImage]:
    rng = np.random.default_rng(11)
    height_px, width_px = steel.shape
    for _ in range(places):
        yield draw(
            steel,
            top=int(rng.integers(0, height_px - shape.height_px + 1)),
            left=int(rng.integers(0, width_px - shape.width_px + 1)),
            height_px=shape.height_px,
            width_px=shape.width_px,
        )
