"""Simulated strips follow from their seed and hold the share of clean ones."""

import numpy as np

from train.data.simulated import simulate_strips
from train.data.strips import ClassMap, Grey


def draw(rng: np.random.Generator) -> tuple[Grey, ClassMap]:
    """Draw a small strip, clean in seven of ten cases."""
    grey = rng.integers(0, 256, (4, 6), dtype=np.uint8)
    return grey, np.full((4, 6), 2 * (rng.random() > 0.7), np.uint8)


def test_simulated_strips_hold_the_share_of_clean_ones() -> None:
    strips = simulate_strips(draw, count=12, clean_share=0.25, seed=3)
    assert len(strips) == 12
    assert int((~strips.presence().any(axis=1)).sum()) == 3
    assert strips.class_count == 4


def test_they_follow_from_the_seed_and_a_longer_set_begins_alike() -> None:
    first, again, other = (
        simulate_strips(draw, count=6, clean_share=0.0, seed=seed) for seed in (3, 3, 4)
    )
    longer = simulate_strips(draw, count=9, clean_share=0.0, seed=3)
    assert [one.tobytes() for one in first.images] == [one.tobytes() for one in again.images]
    assert [one.tobytes() for one in first.images] == [one.tobytes() for one in longer.images[:6]]
    assert {one.tobytes() for one in first.images}.isdisjoint(o.tobytes() for o in other.images)


def test_no_simulated_strips_are_none() -> None:
    assert len(simulate_strips(draw, count=0, clean_share=0.5, seed=3)) == 0


def test_what_is_never_drawn_is_not_waited_for_endlessly() -> None:
    def clean(rng: np.random.Generator) -> tuple[Grey, ClassMap]:
        return draw(rng)[0], np.zeros((4, 6), np.uint8)

    assert len(simulate_strips(clean, count=4, clean_share=0.5, seed=3)) == 2
