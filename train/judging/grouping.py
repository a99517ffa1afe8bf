"""Dealing held-out strips to groups, so that what is fitted on some can be judged on the others."""

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from train.data.likeness import near_duplicates
from train.data.strips import StripSet

GROUPS = 5


def deal_groups(strips: StripSet, *, seed: int) -> NDArray[np.int64]:
    """Group 0..4 of each strip (N,): near-duplicates together, each kind of strip spread evenly.

    Kinds are sets of classes. The clusters of near-duplicates of each kind are shuffled and dealt
    like cards, going on from kind to kind, so that no group gets all the rare ones.
    """
    presence = strips.presence()
    clusters: dict[int, list[int]] = defaultdict(list)
    for row, cluster in enumerate(near_duplicates(strips.images).tolist()):
        clusters[cluster].append(row)
    kinds: dict[bytes, list[list[int]]] = defaultdict(list)
    for rows in clusters.values():
        kinds[presence[rows[0]].tobytes()].append(rows)
    rng = np.random.default_rng(seed)
    groups = np.zeros(len(strips), np.int64)
    dealt = 0
    for _, kind in sorted(kinds.items()):
        for index in rng.permutation(len(kind)):
            groups[kind[index]] = dealt % GROUPS
            dealt += 1
    return groups
