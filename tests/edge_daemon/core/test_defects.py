"""Regions are what a plain computation at full resolution finds, too."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_daemon.core.defects import (
    MOST_REGIONS,
    DefectClass,
    Region,
    Runs,
    find_regions,
    paint,
)
from edge_daemon.core.tiling import Probabilities

STEPS = 64  # probabilities are whole steps, so that bilinear sums at strides up to 8 are exact
PITTING = DefectClass(1, "pitting", 0.5, 0, "minor")
SCRATCH = DefectClass(3, "scratch", 0.5, 0, "major")


@dataclass(frozen=True)
class Case:
    """Coarse probabilities of one frame, and what is asked about them."""

    probabilities: Probabilities
    classes: tuple[DefectClass, ...]
    height: int
    width: int
    stride: int
    reach: int
    first_row: int

    def find(self) -> list[Region]:
        return find_regions(
            self.probabilities,
            self.classes,
            height_px=self.height,
            width_px=self.width,
            stride_px=self.stride,
            reach_px=self.reach,
            first_row=self.first_row,
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    planes = draw(st.integers(1, 3))
    h, w = draw(st.integers(1, 7)), draw(st.integers(1, 9) | st.integers(20, 40))
    stride = draw(st.sampled_from([1, 2, 4, 8] if w < 10 else [1, 2]))
    values = st.integers(0, STEPS) | st.just(STEPS)
    steps = draw(arrays(np.uint8, (planes, h, w), elements=values, fill=st.just(0)))
    classes = [
        DefectClass(
            id=number,
            name=f"class-{number}",
            threshold=draw(st.integers(1, STEPS - 1)) / STEPS,
            min_area_px=draw(st.sampled_from([0, 1, 2, 20, 100])),
            severity="minor",
        )
        for number in draw(st.permutations([1, 2, 9]))[:planes]
    ]
    height = h * stride - draw(st.integers(0, stride - 1))
    return Case(
        probabilities=np.asarray(steps / STEPS, np.float32),
        classes=tuple(classes),
        height=height,
        width=w * stride - draw(st.integers(0, stride - 1)),
        stride=stride,
        reach=draw(st.sampled_from([0, 0, 3])),
        first_row=draw(st.just(0) | st.integers(0, height - 1)),
    )


def naive_planes(case: Case) -> Probabilities:
    """Every plane at full resolution."""
    _, h, w = case.probabilities.shape
    size = (w * case.stride, h * case.stride)
    fine = [cv2.resize(p, size, interpolation=cv2.INTER_LINEAR) for p in case.probabilities]
    return np.stack(fine)[:, : case.height, : case.width]


def naive_classes(case: Case, fine: Probabilities) -> NDArray[np.int64]:
    """Index of the class of every pixel from the first row on, -1 where there is none."""
    chosen = np.full((case.height, case.width), -1)
    for row, column in np.ndindex(chosen.shape):
        best = 0.0
        for k, one in enumerate(case.classes):
            value = fine[k, row, column]
            if value > np.float32(one.threshold) and value > best:
                chosen[row, column], best = k, value
    return chosen[case.first_row :]


def flood(chosen: NDArray[np.int64]) -> list[list[tuple[int, int]]]:
    """Connected pixels of one class, with eight neighbours; by their first pixels."""
    left = {(int(y), int(x)) for y, x in np.argwhere(chosen >= 0)}
    groups = []
    while left:
        waiting = [min(left)]
        left.discard(waiting[0])
        group = []
        while waiting:
            y, x = waiting.pop()
            group.append((y, x))
            around = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            near = [pixel for pixel in around if chosen[pixel] == chosen[y, x]]
            left.difference_update(near)
            waiting += near
        groups.append(sorted(group))
    return groups


def runs_of(columns: list[int]) -> Runs:
    inside = set(columns)
    starts = sorted(x for x in inside if x - 1 not in inside)
    ends = sorted(x + 1 for x in inside if x + 1 not in inside)
    return tuple(zip(starts, ends, strict=True))


def naive_regions(case: Case) -> list[tuple[object, ...]]:
    fine = naive_planes(case)
    chosen = naive_classes(case, fine)
    found: list[tuple[object, ...]] = []
    for group in sorted(flood(chosen), key=lambda group: chosen[group[0]]):
        rows, columns = [y for y, _ in group], [x for _, x in group]
        top, bottom, left, right = min(rows), max(rows) + 1, min(columns), max(columns) + 1
        at_top, at_bottom = top <= case.reach, bottom >= len(chosen) - case.reach
        k = int(chosen[group[0]])
        if len(group) < case.classes[k].min_area_px and not (at_top or at_bottom):
            continue
        score = sum(float(fine[k, case.first_row + y, x]) for y, x in group) / len(group)
        found.append(
            (
                case.classes[k].id,
                (left, top, right - left, bottom - top),
                tuple(group),
                round(score, 6),
                runs_of([x for y, x in group if y == top]) if at_top else (),
                runs_of([x for y, x in group if y == bottom - 1]) if at_bottom else (),
            )
        )
    return found


def described(region: Region) -> tuple[object, ...]:
    x, y, w, h = region.bbox_xywh
    assert region.pixels.shape == (h, w)
    assert region.area_px == region.pixels.sum()
    pixels = sorted((int(row) + y, int(column) + x) for row, column in np.argwhere(region.pixels))
    return (
        region.defect_class.id,
        region.bbox_xywh,
        tuple(pixels),
        round(region.score, 6),
        region.top_runs,
        region.bottom_runs,
    )


@given(cases())
@settings(deadline=None, derandomize=True, max_examples=200)
def test_regions_are_those_of_a_plain_computation(case: Case) -> None:
    assert [described(region) for region in case.find()] == naive_regions(case)


@given(cases())
@settings(deadline=None, derandomize=True, max_examples=60)
def test_painted_is_the_class_of_every_pixel(case: Case) -> None:
    case = replace(case, classes=tuple(replace(c, min_area_px=0) for c in case.classes))
    chosen = naive_classes(case, naive_planes(case))
    ids = np.array([*(c.id for c in case.classes), 0], np.uint8)
    mask = paint(case.find(), height_px=len(chosen), width_px=case.width)
    assert mask.dtype == np.uint8
    assert np.array_equal(mask, ids[chosen])


def find(
    plane: NDArray[np.float64] | list[list[float]],
    defect_class: DefectClass = PITTING,
    *,
    reach: int = 0,
    first_row: int = 0,
) -> list[Region]:
    """Regions of one class at stride 1."""
    probabilities = np.array([plane], np.float32)
    _, height, width = probabilities.shape
    return find_regions(
        probabilities,
        [defect_class],
        height_px=height,
        width_px=width,
        stride_px=1,
        reach_px=reach,
        first_row=first_row,
    )


def test_a_pixel_at_the_threshold_is_sound_and_one_just_above_is_not() -> None:
    defect_class = replace(PITTING, threshold=0.3)
    at = float(np.float32(0.3))
    above = float(np.nextafter(np.float32(0.3), np.float32(1)))
    assert find([[0, at, 0]], defect_class) == []
    assert [r.area_px for r in find([[0, above, 0]], defect_class)] == [1]


def test_a_region_of_just_the_minimum_area_counts() -> None:
    plane = np.zeros((9, 9))
    plane[3:5, 3:6] = 0.9
    assert [r.area_px for r in find(plane, replace(PITTING, min_area_px=6))] == [6]
    assert find(plane, replace(PITTING, min_area_px=7)) == []


@pytest.mark.parametrize("row", [0, 8])
def test_a_small_region_at_the_border_between_frames_is_kept(row: int) -> None:
    plane = np.zeros((9, 9))
    plane[row, 4] = 0.9
    (region,) = find(plane, replace(PITTING, min_area_px=100))
    assert region.bbox_xywh == (4, row, 1, 1)


@pytest.mark.parametrize("column", [0, 8])
def test_a_small_region_at_the_edge_of_the_strip_is_not(column: int) -> None:
    plane = np.zeros((9, 9))
    plane[4, column] = 0.9
    assert find(plane, replace(PITTING, min_area_px=100)) == []


def test_what_comes_near_the_border_reaches_it() -> None:
    plane = np.zeros((20, 9))
    plane[3:17, 4] = 0.9
    (short,) = find(plane, reach=2)
    assert (short.top_runs, short.bottom_runs) == ((), ())
    (near,) = find(plane, reach=3)
    assert (near.top_runs, near.bottom_runs) == (((4, 5),), ((4, 5),))


def test_diagonal_neighbours_are_one_region() -> None:
    assert [r.area_px for r in find(np.eye(5))] == [5]


def test_runs_are_the_columns_in_the_first_and_the_last_row() -> None:
    (region,) = find(
        [
            [0, 1, 1, 0, 0, 0, 1],
            [0, 0, 1, 1, 1, 1, 1],
            [1, 1, 1, 0, 0, 1, 0],
        ]
    )
    assert region.top_runs == ((1, 3), (6, 7))
    assert region.bottom_runs == ((0, 3), (5, 6))
    assert region.bbox_xywh == (0, 0, 7, 3)


def test_where_classes_overlap_the_most_probable_one_wins() -> None:
    pitting = [[0.9, 0.9, 0.6, 0.0]]
    scratch = [[0.0, 0.7, 0.8, 0.8]]
    regions = find_regions(
        np.array([pitting, scratch], np.float32),
        [PITTING, SCRATCH],
        height_px=1,
        width_px=4,
        stride_px=1,
    )
    assert [(r.defect_class.id, r.bbox_xywh) for r in regions] == [
        (1, (0, 0, 2, 1)),
        (3, (2, 0, 2, 1)),
    ]


def test_a_class_below_its_threshold_wins_nothing() -> None:
    strict = replace(SCRATCH, threshold=0.95)
    regions = find_regions(
        np.array([[[0.6]], [[0.9]]], np.float32),
        [PITTING, strict],
        height_px=1,
        width_px=1,
        stride_px=1,
    )
    assert [r.defect_class.id for r in regions] == [1]


def test_a_class_that_loses_every_pixel_has_no_region() -> None:
    regions = find_regions(
        np.array([[[0.6, 0.6]], [[0.9, 0.9]]], np.float32),
        [PITTING, SCRATCH],
        height_px=1,
        width_px=2,
        stride_px=1,
    )
    assert [r.defect_class.id for r in regions] == [3]


@pytest.mark.parametrize("rows", [1, 2, 3, 4])
def test_a_frame_of_a_few_rows_keeps_its_columns(rows: int) -> None:
    plane = np.zeros((1, 1, 400), np.float32)
    plane[..., 300:302] = 1.0
    (region,) = find_regions(plane, [PITTING], height_px=rows, width_px=1600, stride_px=4)
    x, y, w, h = region.bbox_xywh
    assert (y, h) == (0, rows)
    assert x + w / 2 == 301 * 4


def test_the_score_is_the_mean_probability_of_the_pixels() -> None:
    (region,) = find([[0, 0.75, 1.0, 0.875, 0]])
    assert region.score == 0.875


def test_a_region_within_a_hole_of_another_is_one_of_its_own() -> None:
    ring = np.ones((7, 7))
    ring[1:6, 1:6] = 0
    ring[3, 3] = 1
    outer, inner = find(ring)
    assert (outer.bbox_xywh, outer.area_px) == ((0, 0, 7, 7), 24)
    assert (inner.bbox_xywh, inner.area_px) == ((3, 3, 1, 1), 1)
    assert not outer.pixels[3, 3]


def test_regions_of_a_class_come_by_their_first_pixels() -> None:
    plane = np.zeros((9, 60))
    plane[4:, 2] = plane[2:4, 30] = plane[2, 50] = plane[8, 52] = 0.9
    assert [region.bbox_xywh[:2] for region in find(plane)] == [(30, 2), (50, 2), (2, 4), (52, 8)]


def test_first_is_who_has_the_first_pixel_though_another_one_reaches_further_left() -> None:
    regions = find(
        [
            [0, 0, 1, 0, 0, 1],
            [0, 0, 0, 0, 0, 1],
            [1, 1, 1, 1, 1, 1],
        ]
    )
    assert [region.bbox_xywh for region in regions] == [(2, 0, 1, 1), (0, 0, 6, 3)]


def test_of_a_multitude_of_regions_the_largest_are_kept() -> None:
    plane = np.zeros((80, 80))
    plane[::2, ::2] = 0.9  # 1600 specks
    plane[40:42, 41] = plane[60, 63] = 0.9  # these join some of them
    regions = find(plane)
    assert len(regions) == MOST_REGIONS
    assert [region.area_px for region in regions[:3]] == [6, 3, 1]
    assert [region.bbox_xywh for region in regions[2:5]] == [
        (0, 0, 1, 1),
        (2, 0, 1, 1),
        (4, 0, 1, 1),
    ]


def test_rows_seen_before_belong_to_nothing_and_rows_count_from_the_first_new_one() -> None:
    plane = np.zeros((16, 9))
    plane[2:4, 1] = plane[3:9, 4] = plane[12:, 7] = 0.9
    through, below = find(plane, replace(PITTING, min_area_px=4), first_row=5)
    assert (through.bbox_xywh, through.top_runs) == ((4, 0, 1, 4), ((4, 5),))
    assert (below.bbox_xywh, below.bottom_runs) == ((7, 7, 1, 4), ((7, 8),))


def test_cells_seen_before_still_shine_into_the_row_below_them() -> None:
    plane = np.array([[[0.0], [1.0], [0.0], [0.0]]], np.float32)
    faint = replace(PITTING, threshold=0.3)
    (region,) = find_regions(plane, [faint], height_px=32, width_px=8, stride_px=8, first_row=16)
    assert (region.bbox_xywh, region.score) == ((0, 0, 8, 2), 0.375)


def test_clean_steel_has_no_regions() -> None:
    assert find(np.full((4, 4), 0.5)) == []
    assert not paint([], height_px=3, width_px=5).any()
    assert paint([], height_px=3, width_px=5).shape == (3, 5)
