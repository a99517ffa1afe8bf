"""Held-out strips: near-duplicates never part, every kind is held out, and it is repeatable."""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from train.data.checks import duplicate_groups
from train.data.reading import load_strips
from train.data.split import make_split, subset
from train.data.strips import DataError, StripSet


def make_strips(kinds: list[int], twins: int = 0) -> StripSet:
    """Make one small random strip per kind (the class on it, 0: clean), the first ones twice."""
    images = list(np.random.default_rng(0).integers(0, 230, (len(kinds), 16, 66), dtype=np.uint8))
    images += [image + np.uint8(3) for image in images[:twins]]
    classes = [np.full((16, 66), kind, np.uint8) for kind in kinds + kinds[:twins]]
    names = tuple(f"{n:03d}" for n in range(len(images)))
    return StripSet(names, tuple(images), tuple(classes), 3)


@pytest.fixture(scope="module")
def strips() -> StripSet:
    """Make twenty strips and give each of the first ten a slightly brighter twin."""
    return make_strips([n % 2 for n in range(20)], twins=10)


@pytest.mark.parametrize("seed", range(5))
def test_twins_stay_on_one_side(strips: StripSet, seed: int) -> None:
    held_out = set(make_split(strips, share=0.4, seed=seed).validation)
    assert held_out
    assert all((f"{n:03d}" in held_out) == (f"{n + 20:03d}" in held_out) for n in range(10))


def test_every_strip_is_on_one_side(strips: StripSet) -> None:
    split = make_split(strips, share=0.3, seed=1)
    assert sorted(split.training + split.validation) == list(strips.names)


def test_suspects_are_on_no_side(strips: StripSet) -> None:
    split = make_split(replace(strips, suspects=frozenset({"003", "011"})), share=0.3, seed=1)
    assert {"003", "011"}.isdisjoint(split.training + split.validation)


def test_the_seed_decides(strips: StripSet) -> None:
    first, again, other = (make_split(strips, share=0.3, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_clean_and_defective_strips_are_held_out_alike() -> None:
    held_out = make_split(make_strips([3] * 20 + [0] * 20), share=0.25, seed=1).validation
    assert Counter(int(name) < 20 for name in held_out) == {True: 5, False: 5}


@settings(deadline=None, derandomize=True, max_examples=15)
@given(
    kinds=st.lists(st.integers(0, 3), min_size=25, max_size=60),
    twins=st.integers(0, 20),
    share=st.sampled_from([0.2, 0.25, 1 / 3, 0.3, 0.5]),
    seed=st.integers(0, 3),
)
def test_the_folds_hold_out_every_strip_once_and_tear_no_twins(
    kinds: list[int], twins: int, share: float, seed: int
) -> None:
    strips = make_strips(kinds, twins)
    splits = [make_split(strips, share=share, seed=seed, fold=n) for n in range(round(1 / share))]
    held_out = [name for split in splits for name in split.validation]
    assert sorted(held_out) == list(strips.names)
    for group in duplicate_groups(strips):
        assert sum(not set(group).isdisjoint(split.validation) for split in splits) == 1


def test_folds_are_of_about_one_size() -> None:
    strips = make_strips([0] * 20 + [1] * 33 + [2] * 3 + [3] * 1, twins=9)
    sizes = [len(make_split(strips, share=0.2, seed=1, fold=n).validation) for n in range(5)]
    assert max(sizes) - min(sizes) <= 4


def test_a_fold_that_is_none_and_a_set_that_is_too_small_are_refused(strips: StripSet) -> None:
    with pytest.raises(DataError, match=r"no fold 5: a share of 0.2 makes folds 0\.\.4"):
        make_split(strips, share=0.2, seed=1, fold=5)
    with pytest.raises(DataError, match="1 strips are too few"):
        make_split(make_strips([1]), share=0.2, seed=1)
    with pytest.raises(DataError, match="0 strips are too few"):
        make_split(make_strips([]), share=0.2, seed=1)


@settings(deadline=None, derandomize=True, max_examples=30)
@given(
    kinds=st.lists(st.integers(0, 3), min_size=1, max_size=40),
    shares=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=2).map(sorted),
    seed=st.integers(0, 3),
)
def test_smaller_parts_lie_within_larger_ones_and_keep_every_class(
    kinds: list[int], shares: list[float], seed: int
) -> None:
    strips = make_strips(kinds)
    small, large = (subset(strips, strips.names, share=one, seed=seed) for one in shares)
    assert set(small) <= set(large)
    assert list(large) == sorted(large)
    present = strips.presence().any(axis=0)
    assert np.array_equal(strips.named(small).presence().any(axis=0), present)
    assert len(large) <= shares[1] * len(strips) + len(set(kinds))


def test_the_whole_is_the_whole(strips: StripSet) -> None:
    names = strips.names[3:17]
    assert subset(strips, names, share=1.0, seed=1) == names


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif("EDGE_DAEMON_DATA" not in os.environ, reason="no real strips")
def test_no_near_duplicates_of_the_real_strips_are_torn() -> None:
    strips = load_strips(Path(os.environ["EDGE_DAEMON_DATA"]) / "severstal", class_count=4)
    held_out = set(make_split(strips, share=0.2, seed=1).validation)
    groups = duplicate_groups(strips)
    assert len(groups) > 5
    assert all(len({name in held_out for name in group}) == 1 for group in groups)
