"""Holding out strips: near-duplicates stay together, every kind of strip is held out alike.

File names of the set say nothing about coils, and some strips overlap or were taken twice. A
random split would put one of such a pair into training and measure on the other.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from train.data.likeness import near_duplicates
from train.data.strips import DataError, StripSet


@dataclass(frozen=True, slots=True)
class Split:
    """Names of the strips to train on and to validate on; suspects are in neither."""

    training: tuple[str, ...]
    validation: tuple[str, ...]


def fold_count(share: float) -> int:
    """How many folds a share makes: each holds out about that part, all of them every strip."""
    return max(2, round(1 / share))


def make_split(strips: StripSet, *, share: float, seed: int, fold: int = 0) -> Split:
    """Hold out about `share` of the strips of each set of classes.

    The groups of one stratum (the classes of a group's first strip) are shuffled and dealt to the
    folds one after the other: a group goes to the first fold that has less than its share. The
    same strips and seed give the same folds, and each strip is held out by exactly one of them.

    Raises:
        DataError: there is no such fold, or nothing would be left on one side.
    """
    folds = fold_count(share)
    if not 0 <= fold < folds:
        raise DataError(f"there is no fold {fold}: a share of {share:g} makes folds 0..{folds - 1}")
    rows = [row for row, name in enumerate(strips.names) if name not in strips.suspects]
    held_out: set[int] = set()
    rng = np.random.default_rng(seed)
    for stratum in _strata(strips, rows):
        shuffled = [stratum[index] for index in rng.permutation(len(stratum))]
        held_out |= _deal(shuffled, share=share, folds=folds)[fold]
    split = Split(
        training=tuple(strips.names[row] for row in rows if row not in held_out),
        validation=tuple(strips.names[row] for row in rows if row in held_out),
    )
    if not split.training or not split.validation:
        raise DataError(
            f"{len(rows)} strips are too few to hold out a share of {share:g} of each kind (fold "
            f"{fold}): add strips or raise data.validation_share"
        )
    return split


def _strata(strips: StripSet, rows: list[int]) -> list[list[list[int]]]:
    """Groups of near-duplicate rows, by the classes of their first strip."""
    groups = near_duplicates([strips.images[row] for row in rows])
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in zip(rows, groups.tolist(), strict=True):
        members[group].append(row)
    presence = strips.presence()
    strata: dict[bytes, list[list[int]]] = defaultdict(list)
    for group_rows in members.values():
        strata[presence[group_rows[0]].tobytes()].append(group_rows)
    return [stratum for _, stratum in sorted(strata.items())]


def _deal(groups: list[list[int]], *, share: float, folds: int) -> list[set[int]]:
    """Rows of each fold. What a fold got too many or too few, the next one makes up for."""
    strips = sum(map(len, groups))
    dealt: list[set[int]] = []
    left, done = groups, 0
    for fold in range(folds - 1):
        held_out: set[int] = set()
        passed: list[list[int]] = []
        for group in left:
            if done + len(group) / 2 <= share * strips * (fold + 1):
                held_out.update(group)
                done += len(group)
            else:
                passed.append(group)
        dealt.append(held_out)
        left = passed
    return [*dealt, {row for group in left for row in group}]


def subset(strips: StripSet, names: Sequence[str], *, share: float, seed: int) -> tuple[str, ...]:
    """Pick about `share` of these strips, at least one of each set of classes, in their order.

    Smaller shares lie within larger ones of the same seed.
    """
    presence = strips.named(names).presence()
    strata: dict[bytes, list[str]] = defaultdict(list)
    for name, present in zip(names, presence, strict=True):
        strata[present.tobytes()].append(name)
    rng = np.random.default_rng(seed)
    picked: set[str] = set()
    for _, stratum in sorted(strata.items()):
        order = rng.permutation(len(stratum))[: max(1, round(share * len(stratum)))]
        picked.update(stratum[index] for index in order)
    return tuple(name for name in names if name in picked)
