"""What lies where on a synthetic coil, decided before a pixel is drawn."""

from dataclasses import dataclass

import numpy as np

from edge_daemon.simulation.marks import Mark
from edge_daemon.simulation.recipes import RECIPES, draw_kinds

CLEARANCE = 24  # pixels between two plans: more than the borders that marks have around them
DEFECTS_PER_TROUBLE = 5  # trouble comes in stretches; the rest of the coil is clean
TROUBLE_ROWS = 2000  # deviation of places within one stretch of trouble
TRIES = 10

DEFECT_SHARES = {
    "pit": 0.40,
    "pit_row": 0.05,
    "inclusion": 0.12,
    "scratch": 0.18,
    "long_scratch": 0.04,
    "gouge": 0.03,
    "flakes": 0.03,
    "patch": 0.15,
}
FALSE_FRIEND_SHARES = {"paint": 0.2, "chalk": 0.2, "water_stain": 0.3, "oil_drop": 0.3}
FALSE_FRIENDS_PER_DEFECT = 0.5


@dataclass(frozen=True, slots=True)
class PlannedMark:
    """A mark that has a place and is not drawn yet.

    Attributes:
        kind: what to draw, a name from the recipes.
        key: seed of its looks.
        top: first row on the coil; negative where a roll mark lies across the weld.
        left: first column.
        height: rows, without the border that the drawing may add.
        width: columns, likewise.
    """

    kind: str
    key: tuple[int, ...]
    top: int
    left: int
    height: int
    width: int

    def draw(self) -> Mark:
        """Draws it; the same plan always gives the same mark."""
        rng = np.random.default_rng(self.key)
        return RECIPES[self.kind].draw(rng, self.height, self.width)

    def touches(self, other: "PlannedMark") -> bool:
        """Whether the two come closer than the clearance."""
        return (
            self.top < other.top + other.height + CLEARANCE
            and other.top < self.top + self.height + CLEARANCE
            and self.left < other.left + other.width + CLEARANCE
            and other.left < self.left + self.width + CLEARANCE
        )


def plan_coil(
    key: tuple[int, ...],
    *,
    rows: int,
    columns: range,
    expected_defects: float,
    roll_marks: list[PlannedMark],
) -> list[PlannedMark]:
    """Spreads defects and false friends over a coil; none touches another or a roll mark.

    Args:
        key: seed.
        rows: length of the coil.
        columns: where marks may lie.
        expected_defects: mean of their number, roll marks not counted.
        roll_marks: what has its place already.

    Returns:
        All marks in the order of their first row, roll marks included.
    """
    rng = np.random.default_rng(key)
    defects = int(rng.poisson(expected_defects))
    false_friends = int(rng.poisson(expected_defects * FALSE_FRIENDS_PER_DEFECT))
    kinds = draw_kinds(rng, DEFECT_SHARES, defects)
    kinds += draw_kinds(rng, FALSE_FRIEND_SHARES, false_friends)
    troubles = rng.uniform(0, rows, max(1, round(defects / DEFECTS_PER_TROUBLE)))
    planned = list(roll_marks)
    for number, kind in enumerate(kinds):
        for _ in range(TRIES):
            top = rng.choice(troubles) + TROUBLE_ROWS * rng.normal()
            mark = _fit(rng, kind, top, rows=rows, columns=columns, key=(*key, number))
            if mark and not any(mark.touches(other) for other in planned):
                planned.append(mark)
                break
    return sorted(planned, key=lambda mark: mark.top)


def plan_roll_marks(
    key: tuple[int, ...], *, first_line: int, rows: int, pitch: float, column: int
) -> list[PlannedMark]:
    """Places the print of one damaged roll, which knows nothing of coils.

    Args:
        key: seed of the roll: its print and its phase.
        first_line: line since the stream began at which the coil begins.
        rows: length of the coil.
        pitch: circumference of the roll in rows.
        column: its middle.

    Returns:
        One mark per turn; number k lies at round(phase + k * pitch).
    """
    rng = np.random.default_rng(key)
    phase = float(rng.uniform(0, pitch))
    height, width = RECIPES["roll_mark"].draw_size(rng)
    first_turn = int(np.floor((first_line - height - phase) / pitch))
    last_turn = int(np.ceil((first_line + rows - phase) / pitch))
    tops = [round(phase + turn * pitch) - first_line for turn in range(first_turn, last_turn + 1)]
    return [
        PlannedMark("roll_mark", key, top, column - width // 2, height, width)
        for top in tops
        if -CLEARANCE - height < top < rows
    ]


def _fit(
    rng: np.random.Generator,
    kind: str,
    top: float,
    *,
    rows: int,
    columns: range,
    key: tuple[int, ...],
) -> PlannedMark | None:
    """Sizes a mark and pushes it inside the coil; None where it is too big for it."""
    height, width = RECIPES[kind].draw_size(rng)
    height = min(height, rows - 2 * CLEARANCE)
    if height < RECIPES[kind].rows[0] or width > len(columns):
        return None
    return PlannedMark(
        kind,
        key,
        top=int(np.clip(top, CLEARANCE, rows - CLEARANCE - height)),
        left=int(rng.integers(columns.start, columns.stop - width + 1)),
        height=height,
        width=width,
    )
