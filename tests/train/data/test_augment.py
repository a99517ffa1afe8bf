"""Augmentation moves the label with the picture."""

import numpy as np
import pytest

from train.data.augment import STRONG, USUAL, Strength, augment, black_out_defects

ALWAYS = Strength(exposure=1.0, bar=1.0, blur=1.0, noise=1.0, blackout=1.0)
NEVER = Strength(exposure=0.0, bar=0.0)


def test_the_label_stays_on_the_pixels_that_it_was_on() -> None:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 5, (64, 96), dtype=np.uint8)
    grey = np.asarray(classes * 50, np.uint8)
    for seed in range(40):
        changed, moved = augment(grey, classes, rng=np.random.default_rng(seed))
        levels = [set(changed[moved == k].tolist()) for k in range(1, 5)]
        assert all(len(level) <= 1 for level in levels)
        assert sorted(map(tuple, levels), key=str)


def test_all_four_ways_of_flipping_come_up_and_nothing_else() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    seen = set()
    for seed in range(60):
        changed, moved = augment(grey, grey, rng=np.random.default_rng(seed), strength=NEVER)
        assert np.array_equal(changed, moved)
        seen.add(changed.tobytes())
    assert seen == {bytes(one) for one in ([0, 1, 2, 3, 4, 5], [2, 1, 0, 5, 4, 3])} | {
        bytes(one) for one in ([3, 4, 5, 0, 1, 2], [5, 4, 3, 2, 1, 0])
    }


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


@pytest.mark.parametrize("strength", [USUAL, STRONG, ALWAYS], ids=["usual", "strong", "always"])
def test_the_same_generator_gives_the_same_crop(strength: Strength) -> None:
    grey, classes = np.full((32, 64), 90, np.uint8), np.eye(32, 64, dtype=np.uint8)
    first, again, other = (
        augment(grey, classes, rng=np.random.default_rng(seed), strength=strength)
        for seed in (4, 4, 5)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize("strength", [USUAL, ALWAYS], ids=["usual", "always"])
def test_the_original_is_left_as_it_was(strength: Strength) -> None:
    grey, classes = np.full((32, 64), 90, np.uint8), np.zeros((32, 64), np.uint8)
    classes[:, 20:30] = 1
    for seed in range(30):
        augment(grey, classes, rng=np.random.default_rng(seed), strength=strength)
    assert (grey == 90).all()
    assert (classes == 1).sum() == 320


def test_noise_is_even_and_stays_within_grey_values() -> None:
    noisy = Strength(exposure=0.0, bar=0.0, noise=1.0)
    for level in (0, 128, 255):
        grey = np.full((64, 64), level, np.uint8)
        changed, _ = augment(grey, grey, rng=np.random.default_rng(1), strength=noisy)
        spread = changed.astype(int) - level
        assert 0 < np.abs(spread).max() < 25
        assert level in (0, 255) or abs(spread.mean()) < 0.3


def test_blur_moves_nothing() -> None:
    blurred = Strength(exposure=0.0, bar=0.0, blur=1.0)
    grey = np.zeros((9, 9), np.uint8)
    grey[4, 4] = 90
    changed, _ = augment(grey, grey, rng=np.random.default_rng(1), strength=blurred)
    assert changed.tolist() == np.pad(np.full((3, 3), 10), 3).tolist()


def test_defects_are_painted_over_with_what_lies_beside_them() -> None:
    grey = np.tile(np.arange(100, 200, dtype=np.uint8), (4, 1))
    classes = np.zeros_like(grey)
    grey[:, 50:56], classes[1, 50:56] = 7, 3
    painted, cleared = black_out_defects(grey, classes)
    assert not cleared.any()
    assert (painted != 7).all()
    assert np.array_equal(painted[:, :42], grey[:, :42])
    assert np.array_equal(painted[0, 42:64], np.arange(141, 119, -1))


def test_a_defect_without_room_beside_it_keeps_its_label() -> None:
    grey = np.full((4, 100), 100, np.uint8)
    classes = np.zeros_like(grey)
    classes[:, 20:80] = 1
    painted, kept = black_out_defects(grey, classes)
    assert np.array_equal(kept, classes)
    assert np.array_equal(painted, grey)


def test_a_label_is_cleared_exactly_where_the_picture_was_painted() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        classes = np.zeros((6, 200), np.uint8)
        for left in rng.integers(0, 200, 3):
            classes[:, left : left + int(rng.integers(1, 60))] = 1
        grey = np.asarray(100 + 100 * classes, np.uint8)
        painted, left_over = black_out_defects(grey, classes)
        assert np.array_equal(painted == 200, left_over == 1)
