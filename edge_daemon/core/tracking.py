"""A defect that runs over several frames is one defect.

A region in a frame's first row goes on with a defect of its class that ended in the row above,
where their columns touch (8-neighbours). A region that touches several joins them into the oldest.

A network sees least at the border of a frame and often loses a scratch some rows before it, so the
daemon takes `REACH_PX` for "touches", down and across, on either side of the border.
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from edge_daemon.core.defects import DefectClass, Region, Runs
from edge_daemon.core.placement import Place

REACH_PX = 16


@dataclass(frozen=True, slots=True)
class Origin:
    """The frame in which a defect begins.

    Attributes:
        camera: id of the camera.
        stream: of the camera's start.
        coil: id of the coil, where known.
        t_ns: exposure of the frame's first row.
        place: where the frame lies.
    """

    camera: str
    stream: str
    coil: str | None
    t_ns: int
    place: Place


@dataclass(frozen=True, slots=True)
class TrackedDefect:
    """A defect as far as it was seen.

    Attributes:
        id: identity, derived from where it begins: the same in every replay.
        defect_class: its class.
        origin: the frame where it begins.
        first_line: row counter of its first row.
        end_line: row counter just past its last row.
        left_px: first column.
        right_px: just past its last column.
        area_px: pixels so far.
        score: mean probability of its pixels, 0..1.
        bottom_runs: its columns in the last row seen; empty once it has ended.
        announced: it has already been announced as open.
    """

    id: str
    defect_class: DefectClass
    origin: Origin
    first_line: int
    end_line: int
    left_px: int
    right_px: int
    area_px: int
    score: float
    bottom_runs: Runs
    announced: bool = False

    @property
    def is_large_enough(self) -> bool:
        """Whether it has the pixels that its class asks for."""
        return self.area_px >= self.defect_class.min_area_px

    @property
    def lines(self) -> int:
        """Rows that it covers."""
        return self.end_line - self.first_line


@dataclass(frozen=True, slots=True)
class TrackedFrame:
    """What one frame did to the defects.

    Attributes:
        parts: the frame's regions, each with the defect that it belongs to.
        ended: defects that are complete now.
    """

    parts: tuple[tuple[TrackedDefect, Region], ...]
    ended: tuple[TrackedDefect, ...]


class DefectTracker:
    """Follows the defects of one camera from frame to frame; rows have to come without a gap.

    Args:
        reach_px: how far apart columns may be where two parts meet; as `find_regions` was told.
    """

    def __init__(self, reach_px: int = 0) -> None:
        self._reach_px = reach_px
        self._open: list[TrackedDefect] = []

    @property
    def open_defects(self) -> tuple[TrackedDefect, ...]:
        """Defects that reach the last row seen, oldest first."""
        return tuple(self._open)

    @property
    def first_undecided_line(self) -> int | None:
        """First row of the oldest open defect that nobody has been told of yet."""
        waiting = [defect.first_line for defect in self._open if not defect.announced]
        return min(waiting, default=None)

    def advance(self, regions: Sequence[Region], origin: Origin) -> TrackedFrame:
        """Take in the next frame's regions."""
        before, self._open = self._open, []
        parts: list[tuple[TrackedDefect, Region]] = []
        ended: list[TrackedDefect] = []
        gone_on: set[str] = set()
        for members, continued in _connected(regions, before, self._reach_px):
            defect = _join(members, continued, origin)
            parts += [(defect, region) for region in members]
            (self._open if defect.bottom_runs else ended).append(defect)
            # Who was told of a defect as open is owed its end, though it lives on in another one.
            gone_on |= {d.id for d in continued if d.id == defect.id or not d.announced}
        ended += [old for old in before if old.id not in gone_on]
        self._open.sort(key=lambda defect: defect.first_line)
        return TrackedFrame(
            parts=tuple(part for part in parts if part[0].is_large_enough),
            ended=_worth_telling(ended),
        )

    def mark_announced(self, defect_id: str) -> TrackedDefect:
        """Note that an open defect has been announced.

        Raises:
            KeyError: no open defect has this id.
        """
        for index, defect in enumerate(self._open):
            if defect.id == defect_id:
                self._open[index] = replace(defect, announced=True)
                return self._open[index]
        raise KeyError(defect_id)

    def end_all(self) -> tuple[TrackedDefect, ...]:
        """End every open defect: the strip doesn't go on, or nobody saw how."""
        ended, self._open = self._open, []
        return _worth_telling(ended)


def defect_id(origin: Origin, defect_class: DefectClass, *, line: int, column: int) -> str:
    """32 hexadecimal digits from where a defect begins."""
    name = f"{origin.camera}|{origin.stream}|{defect_class.id}|{line}|{column}"
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


def _worth_telling(defects: Iterable[TrackedDefect]) -> tuple[TrackedDefect, ...]:
    return tuple(d for d in defects if d.is_large_enough or d.announced)


def _touch(above: Runs, below: Runs, reach_px: int) -> bool:
    """Whether two rows of runs are neighbours, diagonals included, or as near as that."""
    pairs = itertools.product(above, below)
    return any(
        start <= other_end + reach_px and other <= end + reach_px
        for (start, end), (other, other_end) in pairs
    )


def _connected(
    regions: Sequence[Region], before: Sequence[TrackedDefect], reach_px: int
) -> list[tuple[list[Region], list[TrackedDefect]]]:
    """Group regions with the open defects that they go on, and with each other through these."""
    loose: list[tuple[list[Region], list[TrackedDefect]]] = []
    groups: list[tuple[list[Region], list[TrackedDefect]]] = []
    for region in regions:
        if not region.top_runs:
            loose.append(([region], []))
            continue
        continued = [
            old
            for old in before
            if old.defect_class == region.defect_class
            and _touch(old.bottom_runs, region.top_runs, reach_px)
        ]
        members = [region]
        apart = []
        for group in groups:
            if any(old is other for old in continued for other in group[1]):
                members = group[0] + members
                continued = group[1] + [o for o in continued if all(o is not g for g in group[1])]
            else:
                apart.append(group)
        groups = [*apart, (members, continued)]
    return groups + loose


def _first_pixel(region: Region) -> tuple[int, int]:
    """Row and column in the frame; no other region has that pixel, while corners may coincide."""
    x, y, _, _ = region.bbox_xywh
    return y, x + int(region.pixels[0].argmax())


def _join(
    regions: Sequence[Region], continued: Sequence[TrackedDefect], origin: Origin
) -> TrackedDefect:
    """One defect of the regions and the defects that they go on."""
    top = origin.place.top_line
    boxes = [region.bbox_xywh for region in regions]
    areas = [d.area_px for d in continued] + [region.area_px for region in regions]
    scores = [d.score for d in continued] + [region.score for region in regions]
    area = sum(areas)
    defect_class = regions[0].defect_class
    row, column = min(_first_pixel(region) for region in regions)
    fresh = TrackedDefect(
        id=defect_id(origin, defect_class, line=top + row, column=column),
        defect_class=defect_class,
        origin=origin,
        first_line=top + row,
        end_line=top + max(y + h for _, y, _, h in boxes),
        left_px=min(x for x, _, _, _ in boxes),
        right_px=max(x + w for x, _, w, _ in boxes),
        area_px=area,
        score=sum(a * s for a, s in zip(areas, scores, strict=True)) / area,
        bottom_runs=tuple(sorted(run for region in regions for run in region.bottom_runs)),
    )
    if not continued:
        return fresh
    eldest = min(continued, key=lambda d: (not d.announced, d.first_line, d.left_px))
    return replace(
        fresh,
        id=eldest.id,
        origin=eldest.origin,
        first_line=min(d.first_line for d in continued),
        left_px=min(fresh.left_px, *(d.left_px for d in continued)),
        right_px=max(fresh.right_px, *(d.right_px for d in continued)),
        announced=eldest.announced,
    )
