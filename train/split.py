"""Holding out strips: near-duplicates stay together, every kind of strip is held out alike.

File names of the set say nothing about coils, and some strips overlap or were taken twice. A
random split would put one of such a pair into training and measure on the other.
"""

from collections import defaultdict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.strips import Grey, StripSet

HASH_HEIGHT = 8
HASH_WIDTH = 32
NEAR_BITS = 20
"""Of 256. Unrelated strips differ by 60 or more bits, but dark, featureless ones come closer."""


@dataclass(frozen=True, slots=True)
class Split:
    """Names of the strips to train on and to validate on; suspects are in neither."""

    training: tuple[str, ...]
    validation: tuple[str, ...]


def difference_hash(image: Grey) -> NDArray[np.bool_]:
    """Whether brightness rises from cell to cell along the strip: 256 bits (dHash, Krawetz 2013).

    A strip 6.25 times as wide as high gets cells of its own shape.
    """
    cells = cv2.resize(image, (HASH_WIDTH + 1, HASH_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(np.diff(cells.astype(np.int16), axis=1) > 0).ravel()


def near_duplicates(images: Grey, *, bits: int = NEAR_BITS) -> NDArray[np.int64]:
    """Group number (N,) of each image (N, H, W): equal where near-equal hashes link them."""
    hashes = np.array([difference_hash(image) for image in images], np.float32)
    distance = hashes @ (1 - hashes).T + (1 - hashes) @ hashes.T
    groups = np.arange(len(images))
    for row, column in np.argwhere(np.triu(distance <= bits, k=1)):
        first, second = groups[row], groups[column]
        if first != second:
            groups[groups == max(first, second)] = min(first, second)
    return groups


def make_split(strips: StripSet, *, share: float, seed: int) -> Split:
    """Hold out about `share` of the strips of each set of classes.

    The groups of one stratum (the classes of a group's first strip) are shuffled and dealt: a
    group is held out while its stratum has fewer than its share. The same strips and seed give the
    same split.
    """
    rows = np.array([n for n, name in enumerate(strips.names) if name not in strips.suspects])
    groups = near_duplicates(strips.images[rows])
    members: dict[int, list[int]] = defaultdict(list)
    for row, group in zip(rows.tolist(), groups.tolist(), strict=True):
        members[group].append(row)
    presence = strips.presence()
    strata: dict[bytes, list[list[int]]] = defaultdict(list)
    for member_rows in members.values():
        strata[presence[member_rows[0]].tobytes()].append(member_rows)
    held_out: set[int] = set()
    rng = np.random.default_rng(seed)
    for _, stratum in sorted(strata.items()):
        held_out |= _deal(stratum, share=share, rng=rng)
    return Split(
        training=tuple(strips.names[row] for row in rows if row not in held_out),
        validation=tuple(strips.names[row] for row in rows if row in held_out),
    )


def _deal(stratum: list[list[int]], *, share: float, rng: np.random.Generator) -> set[int]:
    wanted = share * sum(map(len, stratum))
    held_out: set[int] = set()
    for index in rng.permutation(len(stratum)):
        if len(held_out) + len(stratum[index]) / 2 <= wanted:
            held_out.update(stratum[index])
    return held_out
