"""A synthetic line: coil after coil passes the camera, and the truth about each is known.

Memory holds one frame, the plan of one coil and the marks that reach into the frame, however long
the line runs. Texture, light and marks are placed by row, so they run on over frame borders; a new
coil is another piece of steel.
"""

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_daemon.simulation.coil_plan import PlannedMark, plan_coil, plan_roll_marks
from edge_daemon.simulation.marks import (
    SOUND,
    ClassMask,
    Footprint,
    GreyLevels,
    Mark,
    OnSteel,
    apply_mark,
)
from edge_daemon.simulation.steel import Steel, draw_steel, expose, render_steel
from edge_daemon.simulation.value_noise import Window

FrameImage = NDArray[np.uint8]  # (H, W), grey
XYWH = tuple[int, int, int, int]  # left column, first row, columns, rows

FIRST_COIL = 1001
EDGE_CLEARANCE = 60  # columns beside the strip's edge without planned marks
STEADY_LIGHT = 0.06  # greatest unevenness along a coil
NARROWEST = 0.6  # least share of the width that is steel
MM_PER_M = 1000

# first element of every seed, so that the fields of one seed are independent
_STEEL, _PLAN, _ROLL = range(3)


@dataclass(frozen=True, slots=True)
class TrueDefect:
    """A defect as it was drawn.

    Attributes:
        coil: coil id.
        number: 1, 2, ... in the order in which the defects of a coil end.
        class_id: 1 pitting, 2 inclusion, 3 scratch, 4 patch.
        kind: what it is, such as `scratch` or `roll_mark` (class 1).
        bbox_xywh: left column, first row, columns, rows; rows count from the head of the coil.
        area_px: pixels of the mask that belong to it.
        position_mm: of its first row, from the head of the coil.
        across_mm: of its left column, from column 0.
        length_mm: along.
        width_mm: across.
        area_mm2: of the labelled pixels.
    """

    coil: str
    number: int
    class_id: int
    kind: str
    bbox_xywh: XYWH
    area_px: int
    position_mm: float
    across_mm: float
    length_mm: float
    width_mm: float
    area_mm2: float


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticFrame:
    """What the camera saw, and the truth.

    Attributes:
        image: (H, W) grey.
        mask: (H, W) class of each pixel, 0 sound, 1..4.
        coil: coil id.
        first_line: rows since the stream began.
        coil_row: rows since the head of the coil.
        position_mm: of the first row, from the head of the coil: the encoder is reset there.
        finished: defects that end in this frame; over all frames of a coil, its list of truth.
        is_last_of_coil: whether the next frame belongs to another coil.
    """

    image: FrameImage
    mask: ClassMask
    coil: str
    first_line: int
    coil_row: int
    position_mm: float
    finished: tuple[TrueDefect, ...]
    is_last_of_coil: bool


@dataclass(frozen=True, slots=True)
class SyntheticLine:
    """A line to simulate; equal values give equal bytes.

    Attributes:
        seed: of everything, 0 or more.
        coils: how many pass.
        coil_length_mm: of each; rounded up to whole frames.
        mm_per_px_along: size of a pixel in the rolling direction.
        mm_per_px_across: size of a pixel across the strip.
        defects_per_m: mean number of defects per metre, without roll marks; they gather in
            stretches, and the steel between is clean.
        roll_mark_pitch_mm: circumference of a damaged roll, None where all are sound.
        height: rows of a frame.
        width: columns of a frame, at least 256.
    """

    seed: int = 0
    coils: int = 1
    coil_length_mm: float = 100_000.0
    mm_per_px_along: float = 0.5
    mm_per_px_across: float = 0.5
    defects_per_m: float = 0.3
    roll_mark_pitch_mm: float | None = 1885.0
    height: int = 256
    width: int = 1600

    @property
    def frames_per_coil(self) -> int:
        """Frames from the head of a coil to its tail."""
        return int(np.ceil(self.coil_length_mm / self.mm_per_px_along / self.height))

    @property
    def rows_per_coil(self) -> int:
        """Rows from the head of a coil to its tail."""
        return self.frames_per_coil * self.height

    def frames(self) -> Iterator[SyntheticFrame]:
        """Renders frame after frame, coil after coil.

        Raises:
            ValueError: a setting is out of its range.
        """
        self._check()
        for index in range(self.coils):
            yield from _run_coil(self, index)

    def _check(self) -> None:
        least = {
            "seed": (self.seed, 0),
            "coils": (self.coils, 1),
            "height": (self.height, 1),
            "width": (self.width, 256),
            "defects_per_m": (self.defects_per_m, 0),
        }
        for name, (value, minimum) in least.items():
            if not minimum <= value < math.inf:
                raise ValueError(f"{name} is {value}; it must be {minimum} or more")
        positive = {
            "coil_length_mm": self.coil_length_mm,
            "mm_per_px_along": self.mm_per_px_along,
            "mm_per_px_across": self.mm_per_px_across,
            "roll_mark_pitch_mm": self.roll_mark_pitch_mm,
        }
        for name, length in positive.items():
            if length is not None and not 0 < length < math.inf:
                raise ValueError(f"{name} is {length}; it must be a length above 0")


class _GrowingDefect:
    """A mark that the camera is passing: what of it was seen so far."""

    def __init__(self, planned: PlannedMark) -> None:
        self.mark: Mark = planned.draw()
        self.top = planned.top
        self.left = planned.left
        self.area_px = 0
        self._columns: tuple[int, int] | None = None
        self._rows = (0, 0)

    @property
    def end(self) -> int:
        """First row of the coil that it does not reach."""
        return self.top + len(self.mark.gain)

    def lay(self, levels: GreyLevels, mask: ClassMask, *, on_steel: OnSteel, row: int) -> None:
        """Lays it onto the frame that begins at this row of the coil."""
        footprint = apply_mark(
            levels, mask, self.mark, top=self.top - row, left=self.left, on_steel=on_steel
        )
        if footprint is not None and footprint.labelled.any():
            self._note(footprint, row)

    def _note(self, footprint: Footprint, row: int) -> None:
        rows = np.flatnonzero(footprint.labelled.any(axis=1)) + footprint.top + row
        columns = np.flatnonzero(footprint.labelled.any(axis=0)) + footprint.left
        if self._columns is None:
            self._rows = (int(rows[0]), int(rows[-1]))
            self._columns = (int(columns[0]), int(columns[-1]))
        self._rows = (self._rows[0], int(rows[-1]))
        self._columns = (
            min(self._columns[0], int(columns[0])),
            max(self._columns[1], int(columns[-1])),
        )
        self.area_px += int(footprint.labelled.sum())

    @property
    def bbox_xywh(self) -> XYWH:
        """Box around the labelled pixels, rows from the head of the coil."""
        left, right = self._columns or (0, -1)
        top, bottom = self._rows
        return left, top, right - left + 1, bottom - top + 1


def _run_coil(line: SyntheticLine, index: int) -> Iterator[SyntheticFrame]:
    steel = _draw_coil_steel(line, index)
    waiting = deque(_plan(line, index, steel))
    passing: list[_GrowingDefect] = []
    count = 0
    for frame in range(line.frames_per_coil):
        row, end = frame * line.height, (frame + 1) * line.height
        while waiting and waiting[0].top < end:
            passing.append(_GrowingDefect(waiting.popleft()))
        window = Window(row, line.height, line.width)
        levels, on_steel = render_steel(steel, window)
        mask = np.zeros((line.height, line.width), np.uint8)
        for defect in passing:
            defect.lay(levels, mask, on_steel=on_steel, row=row)
        is_last = end == line.rows_per_coil
        done = [defect for defect in passing if is_last or defect.end <= end]
        passing = [defect for defect in passing if defect not in done]
        finished = [d for d in done if d.area_px and d.mark.class_id != SOUND]
        yield SyntheticFrame(
            image=expose(steel, window, levels),
            mask=mask,
            coil=coil_id(index),
            first_line=index * line.rows_per_coil + row,
            coil_row=row,
            position_mm=row * line.mm_per_px_along,
            finished=tuple(
                _truth(line, index, defect, number=count + n)
                for n, defect in enumerate(finished, 1)
            ),
            is_last_of_coil=is_last,
        )
        count += len(finished)


def coil_id(index: int) -> str:
    """Id of the coil with this index: C1001, C1002, ..."""
    return f"C{FIRST_COIL + index}"


def _truth(line: SyntheticLine, index: int, defect: _GrowingDefect, *, number: int) -> TrueDefect:
    left, top, width, height = defect.bbox_xywh
    return TrueDefect(
        coil=coil_id(index),
        number=number,
        class_id=defect.mark.class_id,
        kind=defect.mark.kind,
        bbox_xywh=defect.bbox_xywh,
        area_px=defect.area_px,
        position_mm=top * line.mm_per_px_along,
        across_mm=left * line.mm_per_px_across,
        length_mm=height * line.mm_per_px_along,
        width_mm=width * line.mm_per_px_across,
        area_mm2=defect.area_px * line.mm_per_px_along * line.mm_per_px_across,
    )


def _draw_coil_steel(line: SyntheticLine, index: int) -> Steel:
    """Steel of a coil; always enough of it in view, under a steady lamp, never checker plate."""
    steel = draw_steel(np.random.default_rng((_STEEL, line.seed, index)), width=line.width)
    return replace(
        steel,
        left_edge=min(steel.left_edge, (1 - NARROWEST) * line.width),
        right_edge=max(steel.right_edge, NARROWEST * line.width),
        light_along=min(steel.light_along, STEADY_LIGHT),
        is_checker_plate=False,
    )


def _plan(line: SyntheticLine, index: int, steel: Steel) -> list[PlannedMark]:
    first = max(0, int(steel.left_edge)) + EDGE_CLEARANCE
    last = min(line.width, int(steel.right_edge)) - EDGE_CLEARANCE
    roll_marks: list[PlannedMark] = []
    if line.roll_mark_pitch_mm is not None:
        roll_marks = plan_roll_marks(
            (_ROLL, line.seed),
            first_line=index * line.rows_per_coil,
            rows=line.rows_per_coil,
            pitch=line.roll_mark_pitch_mm / line.mm_per_px_along,
            column=line.width // 2,
        )
    return plan_coil(
        (_PLAN, line.seed, index),
        rows=line.rows_per_coil,
        columns=range(first, last),
        expected_defects=line.defects_per_m * line.rows_per_coil * line.mm_per_px_along / MM_PER_M,
        roll_marks=roll_marks,
    )
