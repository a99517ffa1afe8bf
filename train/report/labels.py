"""Where text beside points stands, so that it hides neither a point nor another text."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

Place: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right, bottom."""

CHARACTER_PX = 6.3
"""Width of a character, about: a browser's font isn't known here."""
HEIGHT_PX = 12.0
_BASELINE_PX = 3.0
_POINT_PX = 5.0
_BEYOND = 100.0
"""Square pixels hidden that a pixel beyond the border is as bad as."""


def place_labels(labels: Sequence[tuple[str, Place]], inside: Box) -> Iterator[tuple[str, Place]]:
    """Give each text with its left end and baseline, for texts with the points they belong to."""
    taken = [
        (left - _POINT_PX, top - _POINT_PX, left + _POINT_PX, top + _POINT_PX)
        for _, (left, top) in labels
    ]
    for label, place in labels:
        boxes = _boxes(place, len(label) * CHARACTER_PX)
        box = min(boxes, key=lambda one: _hidden(one, taken) + _BEYOND * _beyond(one, inside))
        taken.append(box)
        yield label, (box[0], box[3] - _BASELINE_PX)


def _boxes(place: Place, width: float) -> list[Box]:
    """Around a point, the most natural place first."""
    left, top = place
    corners = (
        (left + 7, top - 6),
        (left - 7 - width, top - 6),
        (left - width / 2, top - 19),
        (left - width / 2, top + 7),
        (left + 6, top - 17),
        (left + 6, top + 6),
        (left - 6 - width, top - 17),
        (left - 6 - width, top + 6),
    )
    return [(x, y, x + width, y + HEIGHT_PX) for x, y in corners]


def _hidden(box: Box, taken: Sequence[Box]) -> float:
    """Square pixels of points and texts that lie below a text."""
    area = 0.0
    for other in taken:
        wide = min(box[2], other[2]) - max(box[0], other[0])
        high = min(box[3], other[3]) - max(box[1], other[1])
        area += max(0.0, wide) * max(0.0, high)
    return area


def _beyond(box: Box, inside: Box) -> float:
    before = max(0.0, inside[0] - box[0]) + max(0.0, inside[1] - box[1])
    return before + max(0.0, box[2] - inside[2]) + max(0.0, box[3] - inside[3])
