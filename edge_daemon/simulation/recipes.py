"""Every kind of mark by name: how big it gets and how it is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edge_daemon.simulation.defects import (
    draw_flakes,
    draw_gouge,
    draw_inclusion,
    draw_patch,
    draw_pit,
    draw_pit_row,
    draw_roll_mark,
    draw_scratch,
)
from edge_daemon.simulation.false_friends import (
    draw_chalk,
    draw_oil_drop,
    draw_paint,
    draw_splash,
    draw_water_stain,
)
from edge_daemon.simulation.marks import Mark


@dataclass(frozen=True, slots=True)
class Recipe:
    """How big a thing is and how it is drawn.

    Attributes:
        rows: least and greatest length.
        columns: least and greatest width; for what runs along the strip, the room it may take.
        draw: from randomness, rows and columns.
    """

    rows: tuple[int, int]
    columns: tuple[int, int]
    draw: Callable[[np.random.Generator, int, int], Mark]

    def draw_size(self, rng: np.random.Generator) -> tuple[int, int]:
        """Rows and columns of one specimen."""
        return (
            int(rng.integers(*self.rows, endpoint=True)),
            int(rng.integers(*self.columns, endpoint=True)),
        )


RECIPES: Mapping[str, Recipe] = {
    "pit": Recipe((10, 45), (8, 28), lambda r, h, w: draw_pit(r, height=h, width=w)),
    "pit_row": Recipe((60, 500), (40, 40), lambda r, h, _: draw_pit_row(r, height=h)),
    "inclusion": Recipe((60, 400), (60, 60), lambda r, h, _: draw_inclusion(r, height=h)),
    "scratch": Recipe(
        (40, 600), (60, 60), lambda r, h, _: draw_scratch(r, height=h, drift=r.uniform(-10, 10))
    ),
    "long_scratch": Recipe(
        (4000, 12000),
        (110, 110),
        lambda r, h, _: draw_scratch(r, height=h, drift=r.uniform(-40, 40)),
    ),
    "gouge": Recipe((20, 200), (20, 400), lambda r, h, w: draw_gouge(r, height=h, width=w)),
    "flakes": Recipe((15, 120), (20, 200), lambda r, h, w: draw_flakes(r, height=h, width=w)),
    "patch": Recipe((40, 320), (40, 350), lambda r, h, w: draw_patch(r, height=h, width=w)),
    "roll_mark": Recipe((16, 30), (12, 30), lambda r, h, w: draw_roll_mark(r, height=h, width=w)),
    "paint": Recipe((30, 120), (480, 480), lambda r, h, _: draw_paint(r, height=h)),
    "chalk": Recipe((20, 120), (30, 220), lambda r, h, w: draw_chalk(r, height=h, width=w)),
    "water_stain": Recipe(
        (40, 300), (30, 260), lambda r, h, w: draw_water_stain(r, height=h, width=w)
    ),
    "splash": Recipe((20, 160), (30, 220), lambda r, h, w: draw_splash(r, height=h, width=w)),
    "oil_drop": Recipe((15, 100), (30, 30), lambda r, h, _: draw_oil_drop(r, height=h)),
}


def draw_kinds(rng: np.random.Generator, shares: Mapping[str, float], count: int) -> list[str]:
    """Names of `count` kinds, each as often as its share says."""
    weights = np.asarray(list(shares.values()))
    return [str(kind) for kind in rng.choice(list(shares), count, p=weights / weights.sum())]
