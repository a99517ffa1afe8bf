"""Simulated strips, drawn once before the first step and mixed in with real ones."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from train.data.strips import ClassMap, Grey, StripSet

Draw: TypeAlias = Callable[[np.random.Generator], tuple[Grey, ClassMap]]
"""Draws one simulated strip."""

CLASSES = 4
"""The simulation knows the four defect classes of Severstal."""
_STREAM = 1
_TRIES_PER_STRIP = 20


def simulate_strips(draw: Draw, *, count: int, clean_share: float, seed: int) -> StripSet:
    """Draw `count` strips, of which about `clean_share` have no defect.

    Drawing n follows from (seed, n) alone; those of the kind that is no longer wanted are passed
    over.
    """
    clean_wanted = round(count * clean_share)
    wanted = {True: clean_wanted, False: count - clean_wanted}
    images: list[Grey] = []
    classes: list[ClassMap] = []
    for number in range(_TRIES_PER_STRIP * count):
        if len(images) == count:
            break
        grey, class_map = draw(np.random.default_rng((seed, _STREAM, number)))
        is_clean = not class_map.any()
        if wanted[is_clean]:
            wanted[is_clean] -= 1
            images.append(grey)
            classes.append(class_map)
    names = tuple(f"simulated-{n:05d}" for n in range(len(images)))
    return StripSet(names, tuple(images), tuple(classes), CLASSES)
