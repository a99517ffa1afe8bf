"""Patches hold all pixels that are above a threshold, and little else."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_daemon.core.patches import Patch, find_patches
from edge_daemon.core.tiling import Probabilities

STEPS = 64  # probabilities are whole steps, so that bilinear sums are exact at the strides below
STRIDES = st.sampled_from([1, 2, 4])


@st.composite
def grids(draw: st.DrawFn) -> Probabilities:
    """Two sparse planes, wide enough for defects that lie far apart."""
    shape = (2, draw(st.integers(1, 12)), draw(st.integers(1, 60)))
    steps = draw(arrays(np.uint8, shape, elements=st.integers(0, STEPS), fill=st.just(0)))
    return np.asarray(steps / STEPS, np.float32)


def patches_of(
    grid: Probabilities, stride: int, *, threshold: float = 0.5, first_row: int = 0
) -> list[Patch]:
    _, h, w = grid.shape
    return list(
        find_patches(
            grid,
            [threshold] * len(grid),
            height_px=h * stride,
            width_px=w * stride,
            stride_px=stride,
            first_row=first_row,
        )
    )


def in_full(grid: Probabilities, stride: int) -> Probabilities:
    """Every plane at full resolution."""
    _, h, w = grid.shape
    size = (w * stride, h * stride)
    return np.stack([cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in grid])


def laid_out(patches: list[Patch], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """How many patches say of a pixel that it is a class's, (K, H, W)."""
    counts = np.zeros(shape, np.int64)
    for patch in patches:
        rows, columns = patch.belongs.shape
        top, left = patch.top, patch.left
        counts[patch.plane, top : top + rows, left : left + columns] += patch.belongs
    return counts


@given(grid=grids(), stride=STRIDES, threshold=st.sampled_from([0.125, 0.5]))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_each_pixel_above_a_threshold_is_in_one_patch_of_its_most_probable_class(
    grid: Probabilities, stride: int, threshold: float
) -> None:
    fine = in_full(grid, stride)
    second_wins = fine[1] > fine[0]
    expected = (fine > threshold) & np.stack([~second_wins, second_wins])
    found = patches_of(grid, stride, threshold=threshold)
    assert np.array_equal(laid_out(found, fine.shape), expected)


@given(grid=grids(), stride=STRIDES)
@settings(deadline=None, derandomize=True, max_examples=100)
def test_probabilities_are_those_of_the_full_resolution(grid: Probabilities, stride: int) -> None:
    fine = in_full(grid, stride)
    for patch in patches_of(grid, stride):
        rows, columns = patch.belongs.shape
        same = fine[patch.plane, patch.top :, patch.left :][:rows, :columns]
        assert np.array_equal(patch.probability[patch.belongs], same[patch.belongs])


@given(grid=grids(), stride=STRIDES)
@settings(deadline=None, derandomize=True, max_examples=100)
def test_no_two_patches_of_a_class_have_pixels_that_touch(grid: Probabilities, stride: int) -> None:
    found = patches_of(grid, stride, threshold=0.125)
    shape = (len(grid), grid.shape[1] * stride, grid.shape[2] * stride)
    grown = np.zeros(shape, np.int64)
    for patch in found:
        own = laid_out([patch], shape)[patch.plane].astype(np.uint8)
        grown[patch.plane] += cv2.dilate(own, np.ones((2, 2), np.uint8))
    assert grown.max(initial=0) <= 1


def test_what_lies_far_apart_is_looked_at_apart() -> None:
    grid = np.zeros((1, 64, 400), np.float32)
    grid[0, 20, 10] = grid[0, 50, 300] = 1.0
    found = patches_of(grid, 4)
    assert [(patch.top, patch.left) for patch in found] == [(76, 36), (196, 1196)]
    assert {patch.belongs.shape for patch in found} == {(12, 12)}


def test_a_class_is_looked_at_only_where_it_is() -> None:
    grid = np.zeros((2, 64, 400), np.float32)
    grid[0, 20, 10] = grid[1, 50, 300] = 1.0
    assert [(patch.plane, patch.left) for patch in patches_of(grid, 4)] == [(0, 36), (1, 1196)]


@given(grid=grids(), stride=STRIDES, data=st.data())
@settings(deadline=None, derandomize=True, max_examples=100)
def test_rows_above_the_first_are_cut_away(
    grid: Probabilities, stride: int, data: st.DataObject
) -> None:
    _, height, width = in_full(grid, stride).shape
    first = data.draw(st.integers(0, height - 1))
    whole = laid_out(patches_of(grid, stride), (2, height, width))
    below = laid_out(patches_of(grid, stride, first_row=first), (2, height - first, width))
    assert np.array_equal(below, whole[:, first:])


def test_rows_that_are_cut_away_cost_nothing() -> None:
    grid = np.zeros((1, 64, 400), np.float32)
    grid[0, 20, 10] = 1.0
    assert patches_of(grid, 4, first_row=88) == []


def test_a_clean_frame_has_no_patches() -> None:
    assert patches_of(np.full((2, 4, 4), 0.5, np.float32), 4) == []


def test_a_plane_without_a_threshold_is_refused() -> None:
    grid = np.zeros((2, 1, 1), np.float32)
    with pytest.raises(ValueError, match="shorter"):
        list(find_patches(grid, [0.5], height_px=1, width_px=1, stride_px=1))
