"""Crops: inside the strip where it is large enough, filled up without label where it isn't."""

import numpy as np
from hypothesis import given, settings, strategies as st

from train.data.cropping import cut, place_anywhere, place_on_defect

SIDES = st.integers(1, 40)


@settings(deadline=None, derandomize=True)
@given(rows=SIDES, columns=SIDES, height=SIDES, width=SIDES, seed=st.integers(0, 99))
def test_a_crop_on_a_defect_holds_a_pixel_of_it(
    *, rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    classes = np.zeros((rows, columns), np.uint8)
    classes[rng.integers(rows), rng.integers(columns)] = 2
    grey = np.asarray(classes * 100, np.uint8)
    top, left = place_on_defect(classes, 2, height=height, width=width, rng=rng)
    crop, label = cut(grey, classes, top=top, left=left, height=height, width=width)
    assert crop.shape == label.shape == (height, width)
    assert (label == 2).sum() == 1
    assert (crop[label == 2] == 200).all()


@settings(deadline=None, derandomize=True)
@given(rows=SIDES, columns=SIDES, height=SIDES, width=SIDES, seed=st.integers(0, 99))
def test_a_crop_that_fits_lies_inside(
    *, rows: int, columns: int, height: int, width: int, seed: int
) -> None:
    classes = np.zeros((rows, columns), np.uint8)
    rng = np.random.default_rng(seed)
    top, left = place_anywhere(classes, height=height, width=width, rng=rng)
    assert 0 <= top <= max(0, rows - height)
    assert 0 <= left <= max(0, columns - width)


def test_every_place_comes_up() -> None:
    rng = np.random.default_rng(0)
    classes = np.zeros((4, 7), np.uint8)
    places = {place_anywhere(classes, height=2, width=3, rng=rng) for _ in range(500)}
    assert places == {(top, left) for top in range(3) for left in range(5)}


def test_beyond_the_strip_its_edge_goes_on_without_label() -> None:
    grey = np.array([[1, 2], [3, 4]], np.uint8)
    crop, label = cut(grey, np.ones((2, 2), np.uint8), top=0, left=1, height=3, width=3)
    assert crop.tolist() == [[2, 2, 2], [4, 4, 4], [4, 4, 4]]
    assert label.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]
