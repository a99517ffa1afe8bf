"""Strips cover every frame, and what is stitched shows no seam."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import (
    STRIP_HEIGHT_PX,
    STRIP_WIDTH_PX,
    Probabilities,
    Tiling,
    cut,
    pad,
    plan_tiling,
    stitch,
)

sides = st.integers(1, 2000)
strides = st.sampled_from([1, 2, 4, 8, 16, 32, 64])


def noise(height: int, width: int) -> GreyImage:
    return np.random.default_rng(height * 7919 + width).integers(0, 256, (height, width), np.uint8)


def look_at_corners(strips: Sequence[GreyImage], stride_px: int) -> Probabilities:
    """Stand in for a network: each cell says the value of its first pixel."""
    batch = np.stack(strips)[:, None]
    return np.asarray(batch[..., ::stride_px, ::stride_px] / 255, np.float32)


def is_covered(offsets: tuple[int, ...], window: int, length: int) -> bool:
    ends = [0, *(offset + window for offset in offsets)]
    reaches = all(offset <= end for offset, end in zip(offsets, ends, strict=False))
    return reaches and ends[-1] == length and list(offsets) == sorted(set(offsets))


@given(height=sides, width=st.integers(1, 16384), stride=strides)
@example(height=256, width=1600, stride=4)
@example(height=257, width=1601, stride=4)
@example(height=16384, width=16384, stride=4)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_strips_cover_every_pixel_on_the_grid(height: int, width: int, stride: int) -> None:
    tiling = plan_tiling(height, width, stride_px=stride)
    assert tiling.padded_height_px >= max(height, STRIP_HEIGHT_PX)
    assert tiling.padded_width_px >= max(width, STRIP_WIDTH_PX)
    assert is_covered(tiling.rows, STRIP_HEIGHT_PX, tiling.padded_height_px)
    assert is_covered(tiling.columns, STRIP_WIDTH_PX, tiling.padded_width_px)
    assert all(offset % stride == 0 for offset in (*tiling.rows, *tiling.columns))


@given(height=sides, width=sides)
@settings(deadline=None, derandomize=True, max_examples=100)
def test_no_strip_is_wasted(height: int, width: int) -> None:
    tiling = plan_tiling(height, width, stride_px=4)
    needed = -(-height // STRIP_HEIGHT_PX) * -(-width // STRIP_WIDTH_PX)
    assert tiling.count == needed == len(list(tiling.corners()))


@given(height=sides, width=sides, stride=st.sampled_from([2, 4, 32]))
@example(height=1, width=1, stride=4)
@example(height=1, width=1600, stride=4)
@example(height=700, width=3300, stride=4)
@example(height=512, width=3200, stride=8)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_a_frame_comes_back_as_it_was(height: int, width: int, stride: int) -> None:
    image = noise(height, width)
    tiling = plan_tiling(height, width, stride_px=stride)
    strips = cut(image, tiling)
    assert len(strips) == tiling.count
    assert {strip.shape for strip in strips} == {(STRIP_HEIGHT_PX, STRIP_WIDTH_PX)}
    assert {strip.dtype for strip in strips} == {np.dtype(np.uint8)}
    grid = stitch(look_at_corners(strips, stride), tiling)
    assert grid.dtype == np.float32
    assert grid.shape == (1, -(-height // stride), -(-width // stride))
    expected = image[::stride, ::stride].astype(np.float32) / 255
    np.testing.assert_allclose(grid[0], expected, rtol=0, atol=1e-6)


@given(height=st.integers(1, 700), width=sides, stride=st.sampled_from([4, 64]))
@example(height=1, width=1, stride=4)
@settings(deadline=None, derandomize=True, max_examples=30)
def test_what_is_missing_is_mirrored(height: int, width: int, stride: int) -> None:
    image = noise(height, width)
    tiling = plan_tiling(height, width, stride_px=stride)
    below, right = tiling.padded_height_px - height, tiling.padded_width_px - width
    expected = np.pad(image, ((0, below), (0, right)), mode="symmetric")
    assert np.array_equal(pad(image, tiling), expected)


@pytest.mark.parametrize(("height", "width"), [(256, 1600), (300, 1600), (256, 2000), (512, 3200)])
def test_a_frame_that_needs_no_pad_is_cut_without_a_copy(height: int, width: int) -> None:
    image = noise(height, width)
    strips = cut(image, plan_tiling(height, width, stride_px=4))
    assert all(np.shares_memory(strip, image) for strip in strips)


def test_what_is_said_of_a_single_strip_is_passed_on_without_a_copy() -> None:
    tiling = plan_tiling(STRIP_HEIGHT_PX, STRIP_WIDTH_PX, stride_px=4)
    answers = look_at_corners(cut(noise(STRIP_HEIGHT_PX, STRIP_WIDTH_PX), tiling), 4)
    assert np.shares_memory(stitch(answers, tiling), answers)


def test_a_frame_that_can_not_be_written_to_is_cut() -> None:
    image = noise(300, 1700)
    image.flags.writeable = False
    assert len(cut(image, plan_tiling(300, 1700, stride_px=4))) == 4


def test_answers_that_can_not_be_written_to_are_stitched() -> None:
    tiling = plan_tiling(300, 1700, stride_px=4)
    answers = look_at_corners(cut(noise(300, 1700), tiling), 4)
    answers.flags.writeable = False
    assert stitch(answers, tiling).shape == (1, 75, 425)


def test_frames_that_are_stitched_one_after_the_other_know_nothing_of_each_other() -> None:
    tiling = plan_tiling(300, 1700, stride_px=4)
    one, other = (
        look_at_corners(cut(np.full((300, 1700), grey, np.uint8), tiling), 4) for grey in (51, 204)
    )
    first = stitch(one, tiling)
    stitch(other, tiling)
    assert np.array_equal(stitch(one, tiling), first)
    np.testing.assert_allclose(first, 0.2, rtol=1e-6)


def stitched_steps(tiling: Tiling) -> Probabilities:
    """Stitch strips that are 0, 1, 2, ... all over."""
    shape = (tiling.count, 1, STRIP_HEIGHT_PX // 4, STRIP_WIDTH_PX // 4)
    strips = np.zeros(shape, np.float32) + np.arange(tiling.count)[:, None, None, None]
    return np.asarray(stitch(strips.astype(np.float32), tiling)[0])


@pytest.mark.parametrize(("height", "width"), [(300, 1600), (256, 2000)])
def test_where_two_strips_overlap_one_fades_into_the_other(height: int, width: int) -> None:
    grid = stitched_steps(plan_tiling(height, width, stride_px=4))
    profile = grid[:, grid.shape[1] // 2] if height > 256 else grid[grid.shape[0] // 2]
    steps = np.diff(profile)
    assert (profile[0], profile[-1]) == (0.0, 1.0)
    assert steps.min() >= 0
    assert steps.max() < 0.1


def test_a_strip_is_believed_least_at_its_own_border() -> None:
    tiling = plan_tiling(300, 1600, stride_px=4)
    profile = stitched_steps(tiling)[:, 200]
    first_of_second, last_of_first = tiling.rows[1] // 4, STRIP_HEIGHT_PX // 4 - 1
    assert profile[first_of_second] < 0.1
    assert profile[last_of_first] > 0.9


@given(st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4))
@settings(deadline=None, derandomize=True, max_examples=50)
def test_a_mean_of_probabilities_is_a_probability(values: list[float]) -> None:
    tiling = plan_tiling(400, 2000, stride_px=64)
    strips = np.ones((4, 1, 4, 25), np.float32) * np.array(values, np.float32)[:, None, None, None]
    grid = stitch(strips, tiling)
    assert min(values) - 1e-6 <= grid.min()
    assert grid.max() <= min(max(values) + 1e-6, 1.0)


def test_strips_may_come_one_by_one() -> None:
    tiling = plan_tiling(300, 1700, stride_px=4)
    answers = look_at_corners(cut(noise(300, 1700), tiling), 4)
    assert np.array_equal(stitch(list(answers), tiling), stitch(answers, tiling))


def plain_mean(strips: Probabilities, tiling: Tiling) -> NDArray[np.float64]:
    """Every cell's weighted mean at full length: a strip counts by the distance to its border."""
    stride = tiling.stride_px
    rows, columns = strips.shape[2:]
    down = np.minimum(np.arange(rows) + 1, rows - np.arange(rows))
    across = np.minimum(np.arange(columns) + 1, columns - np.arange(columns))
    weight = np.minimum(down[:, None], across)
    shape = (tiling.padded_height_px // stride, tiling.padded_width_px // stride)
    total, weights = np.zeros((strips.shape[1], *shape)), np.zeros(shape)
    for strip, (row, column) in zip(strips, tiling.corners(), strict=True):
        place = np.s_[..., row // stride :, column // stride :]
        total[place][..., :rows, :columns] += strip * weight
        weights[place][..., :rows, :columns] += weight
    mean = total / weights
    return mean[:, : -(-tiling.height_px // stride), : -(-tiling.width_px // stride)]


@given(height=sides, width=st.integers(1, 5000), stride=st.sampled_from([4, 32]))
@example(height=512, width=3200, stride=4)
@example(height=700, width=3300, stride=4)
@settings(deadline=None, derandomize=True, max_examples=20)
def test_a_stitched_cell_is_the_weighted_mean_of_its_strips(
    height: int, width: int, stride: int
) -> None:
    tiling = plan_tiling(height, width, stride_px=stride)
    shape = (tiling.count, 2, STRIP_HEIGHT_PX // stride, STRIP_WIDTH_PX // stride)
    strips = np.random.default_rng(height + width).random(shape, np.float32)
    np.testing.assert_allclose(stitch(strips, tiling), plain_mean(strips, tiling), rtol=1e-6)
