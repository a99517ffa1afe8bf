"""Looking a data set over before anything is trained on it."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from train.data.likeness import near_duplicates
from train.data.reading import read_strips
from train.data.split import make_split
from train.data.strips import DataError, Fault, StripSet

TINY_PX = 64
"""A label of fewer pixels is more likely a slip of the mouse than a defect."""
LARGE_GROUP_SHARE, FEW = 0.1, 3
"""Near-duplicates that are more of the set than this are rather strips without features."""


@dataclass(frozen=True, slots=True)
class SideCounts:
    """What lies on one side of the split.

    Attributes:
        strips: how many.
        with_class: K counts of strips that have class 1, 2, ...
        clean: those without any.
    """

    strips: int
    with_class: tuple[int, ...]
    clean: int

    @classmethod
    def of(cls, strips: StripSet) -> "SideCounts":
        """Count a set of strips."""
        presence = strips.presence()
        return cls(
            strips=len(strips),
            with_class=tuple(presence.sum(axis=0).tolist()),
            clean=int((~presence.any(axis=1)).sum()),
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What there is in a folder, and what is wrong with it.

    Attributes:
        all: counts of all strips that could be read.
        training: of those that would be trained on; None where no split can be made.
        validation: of those that would be held out.
        suspects: strips labelled clean that are not.
        sizes_wh: (width, height) and how many strips have it, the most frequent first.
        duplicates: names of near-duplicates, group by group.
        torn_at_random: how many of those groups a random split of this share would have torn.
        torn: how many the split does tear; 0, or the split is wrong.
        faults: errors first.
    """

    all: SideCounts
    training: SideCounts | None
    validation: SideCounts | None
    suspects: tuple[str, ...]
    sizes_wh: tuple[tuple[tuple[int, int], int], ...]
    duplicates: tuple[tuple[str, ...], ...]
    torn_at_random: int
    torn: int
    faults: tuple[Fault, ...]

    @property
    def is_usable(self) -> bool:
        """Whether there is no error; warnings don't keep anyone from training."""
        return all(fault.severity == "warning" for fault in self.faults)


def check_data(root: Path, *, class_count: int, share: float, seed: int, fold: int = 0) -> Report:
    """Read a folder and look at it as a whole. Whatever lies there, no exception is raised."""
    strips, faults = read_strips(root, class_count=class_count)
    groups = duplicate_groups(strips)
    sides: tuple[SideCounts, SideCounts] | tuple[None, None] = (None, None)
    torn = 0
    try:
        split = make_split(strips, share=share, seed=seed, fold=fold)
    except DataError as error:
        faults.append(Fault("split", str(error)))
    else:
        torn = _torn(groups, set(split.validation))
        training, validation = map(strips.named, (split.training, split.validation))
        sides = SideCounts.of(training), SideCounts.of(validation)
        faults += _missing("training", sides[0]) + _missing("validation", sides[1])
    faults += _tiny_labels(strips) + _doubtful_groups(strips, groups)
    drawn = np.random.default_rng(seed).random(len(strips)) < share
    return Report(
        all=SideCounts.of(strips),
        training=sides[0],
        validation=sides[1],
        suspects=tuple(sorted(strips.suspects)),
        sizes_wh=tuple(Counter(image.shape[::-1] for image in strips.images).most_common()),
        duplicates=groups,
        torn_at_random=_torn(groups, set(compress(strips.names, drawn))),
        torn=torn,
        faults=tuple(sorted(faults, key=lambda fault: fault.severity)),
    )


def duplicate_groups(strips: StripSet) -> tuple[tuple[str, ...], ...]:
    """Names of strips that are near-duplicates of each other, group by group; no suspects."""
    usable = [row for row, name in enumerate(strips.names) if name not in strips.suspects]
    numbers = near_duplicates([strips.images[row] for row in usable]).tolist()
    members: dict[int, list[str]] = defaultdict(list)
    for row, number in zip(usable, numbers, strict=True):
        members[number].append(strips.names[row])
    return tuple(tuple(names) for names in members.values() if len(names) > 1)


def _torn(groups: Iterable[tuple[str, ...]], held_out: set[str]) -> int:
    return sum(len({name in held_out for name in names}) > 1 for names in groups)


def _tiny_labels(strips: StripSet) -> list[Fault]:
    areas = strips.areas_px()
    return [
        Fault(strips.names[row], f"class {k + 1} covers {areas[row, k]} pixels only", "warning")
        for row, k in np.argwhere((areas > 0) & (areas < TINY_PX)).tolist()
    ]


def _doubtful_groups(strips: StripSet, groups: Iterable[tuple[str, ...]]) -> list[Fault]:
    presence = dict(zip(strips.names, map(tuple, strips.presence().tolist()), strict=True))
    faults = []
    for names in groups:
        if len(names) > max(LARGE_GROUP_SHARE * len(strips), FEW):
            what = (
                f"and {len(names) - 1} others look alike: much of the set has to stay on one side"
            )
            faults.append(Fault(names[0], what, "warning"))
        labels = {presence[name]: name for name in names}
        if len(labels) > 1:
            first, second, *_ = labels.values()
            what = f"is a near-duplicate of {second}, but is labelled with other classes"
            faults.append(Fault(first, what, "warning"))
    return faults


def _missing(title: str, side: SideCounts) -> list[Fault]:
    what = f"is on no {title} strip"
    missing = [number for number, count in enumerate(side.with_class, start=1) if not count]
    faults = [Fault(f"class {number}", what, "warning") for number in missing]
    if not side.clean:
        faults.append(Fault(title, "has no strip without defects", "warning"))
    return faults
