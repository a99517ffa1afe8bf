"""Augmentation moves the label with the picture."""

import numpy as np

from train.augment import augment


def test_the_label_stays_on_the_pixels_that_it_was_on() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, (64, 96), dtype=np.uint8)
    grey = (classes * 50).astype(np.uint8)
    for seed in range(40):
        changed, moved = augment(grey, classes, rng=np.random.default_rng(seed))
        levels = [set(changed[moved == k].tolist()) for k in range(1, 5)]
        assert all(len(level) <= 1 for level in levels)
        assert sorted(map(tuple, levels), key=str)


def test_a_blackened_end_carries_no_defect() -> None:
    grey, classes = np.full((32, 100), 200, np.uint8), np.ones((32, 100), np.uint8)
    blackened = 0
    for seed in range(100):
        changed, moved = augment(grey, classes, rng=np.random.default_rng(seed))
        is_dark = (changed < 8).all(axis=0)
        blackened += bool(is_dark.any())
        assert not moved[:, is_dark].any()
        assert moved[:, ~is_dark].all()
    assert 0 < blackened < 30


def test_the_same_generator_gives_the_same_crop() -> None:
    grey, classes = np.full((32, 64), 90, np.uint8), np.eye(32, 64, dtype=np.uint8)
    first = augment(grey, classes, rng=np.random.default_rng(4))
    again = augment(grey, classes, rng=np.random.default_rng(4))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))


def test_the_original_is_left_as_it_was() -> None:
    grey, classes = np.full((32, 64), 90, np.uint8), np.ones((32, 64), np.uint8)
    for seed in range(30):
        augment(grey, classes, rng=np.random.default_rng(seed))
    assert (grey == 90).all()
    assert classes.all()
