"""Held-out strips: near-duplicates never part, every kind is held out, and it is repeatable."""

from dataclasses import replace

import numpy as np
import pytest

from edge_daemon.simulation.strips import draw_strip
from train.split import make_split, near_duplicates
from train.strips import StripSet


@pytest.fixture(scope="module")
def strips() -> StripSet:
    """Draw twenty strips and give each of the first ten a slightly brighter twin."""
    drawn = [draw_strip(np.random.default_rng(seed)) for seed in range(20)]
    twins = [(np.clip(image + 3.0, 0, 255), classes) for image, classes in drawn[:10]]
    both = drawn + twins
    return StripSet(
        names=tuple(f"{n:02d}" for n in range(30)),
        images=np.array([image for image, _ in both], np.uint8),
        classes=np.array([classes for _, classes in both], np.uint8),
    )


def test_twins_are_in_one_group_and_strangers_are_not(strips: StripSet) -> None:
    groups = near_duplicates(strips.images)
    assert all(groups[n] == groups[n + 20] for n in range(10))
    assert len(set(groups[10:20])) == 10


@pytest.mark.parametrize("seed", range(5))
def test_twins_stay_on_one_side(strips: StripSet, seed: int) -> None:
    held_out = set(make_split(strips, share=0.4, seed=seed).validation)
    assert held_out
    assert all((f"{n:02d}" in held_out) == (f"{n + 20:02d}" in held_out) for n in range(10))


def test_every_strip_is_on_one_side(strips: StripSet) -> None:
    split = make_split(strips, share=0.3, seed=1)
    assert sorted(split.training + split.validation) == list(strips.names)


def test_suspects_are_on_no_side(strips: StripSet) -> None:
    split = make_split(replace(strips, suspects=frozenset({"03", "11"})), share=0.3, seed=1)
    assert {"03", "11"}.isdisjoint(split.training + split.validation)


def test_the_seed_decides(strips: StripSet) -> None:
    first, again, other = (make_split(strips, share=0.3, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_clean_and_defective_strips_are_held_out_alike() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 256, 1600), dtype=np.uint8)
    classes = np.zeros(images.shape, np.uint8)
    classes[:20, :9, :9] = 3
    strips = StripSet(tuple(f"{n:02d}" for n in range(40)), images, classes)
    held_out = make_split(strips, share=0.25, seed=1).validation
    assert sum(int(name) < 20 for name in held_out) == 5
    assert sum(int(name) >= 20 for name in held_out) == 5
