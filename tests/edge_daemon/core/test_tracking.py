"""However a strip is cut into frames, its defects stay the same."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass, Region, find_regions
from edge_daemon.core.placement import Place
from edge_daemon.core.tracking import DefectTracker, Origin, TrackedDefect, TrackedFrame

SCRATCH = DefectClass(3, "scratch", 0.5, 1, "major")
PATCH = DefectClass(4, "patch", 0.5, 1, "critical")
ROWS, COLUMNS = 24, 10

strips = arrays(
    np.float32,
    (ROWS, COLUMNS),
    elements=st.sampled_from([0.0, 0.625, 0.75, 1.0]),
    fill=st.sampled_from([0.0, 1.0]),
)
cuts = st.sets(st.integers(1, ROWS - 1), max_size=8)


def origin(top_line: int, rows: int, stream: str = "s") -> Origin:
    return Origin("cam", stream, None, top_line, Place(top_line, rows, None, None))


def regions_of(
    plane: NDArray[np.float32], defect_class: DefectClass, *, reach: int = 0
) -> list[Region]:
    return find_regions(
        plane[None],
        [defect_class],
        height_px=plane.shape[0],
        width_px=plane.shape[1],
        stride_px=1,
        reach_px=reach,
    )


def frames(
    strip: NDArray[np.float32], at: Sequence[int] | set[int]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Frames of a strip that is cut before the given rows, each with its first row."""
    edges = [0, *sorted(at), len(strip)]
    for top, end in itertools.pairwise(edges):
        yield top, strip[top:end]


def track(
    strip: NDArray[np.float32],
    at: Sequence[int] | set[int],
    *,
    min_area: int = 1,
    reach: int = 0,
) -> list[TrackedDefect]:
    """All defects of a strip that comes in frames."""
    defect_class = DefectClass(3, "scratch", 0.5, min_area, "major")
    tracker = DefectTracker(reach)
    ended: list[TrackedDefect] = []
    for top, frame in frames(strip, at):
        regions = regions_of(frame, defect_class, reach=reach)
        ended += tracker.advance(regions, origin(top, len(frame))).ended
    return ended + list(tracker.end_all())


def picture(*rows: str) -> NDArray[np.float32]:
    """A strip drawn with `#` for defective pixels."""
    return np.array([[float(pixel == "#") for pixel in row] for row in rows], np.float32)


def seen_at_once(
    strip: NDArray[np.float32], min_area: int
) -> "Counter[tuple[int, int, int, int, int, float]]":
    """Extent, area and score of the components of a whole strip."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (strip > 0.5).astype(np.uint8), connectivity=8
    )
    return Counter(
        (
            int(y),
            int(y + h),
            int(x),
            int(x + w),
            int(area),
            round(float(strip[labels == label].mean(dtype=np.float64)), 6),
        )
        for label, (x, y, w, h, area) in enumerate(stats)
        if 0 < label < count and area >= min_area
    )


@given(strip=strips, at=cuts, min_area=st.sampled_from([1, 3, 12]))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_defects_do_not_depend_on_where_the_strip_is_cut(
    strip: NDArray[np.float32], at: set[int], min_area: int
) -> None:
    ended = track(strip, at, min_area=min_area)
    seen_in_frames = Counter(
        (d.first_line, d.end_line, d.left_px, d.right_px, d.area_px, round(d.score, 6))
        for d in ended
    )
    assert seen_in_frames == seen_at_once(strip, min_area)
    assert len({d.id for d in ended}) == len(ended)


@given(strip=strips, at=cuts)
@settings(deadline=None, derandomize=True, max_examples=50)
def test_ids_repeat(strip: NDArray[np.float32], at: set[int]) -> None:
    assert track(strip, at) == track(strip, at)


@given(strip=strips, at=cuts)
@settings(deadline=None, derandomize=True, max_examples=100)
def test_the_first_undecided_row_is_where_the_oldest_open_defect_begins(
    strip: NDArray[np.float32], at: set[int]
) -> None:
    tracker = DefectTracker()
    for top, frame in frames(strip, at):
        tracker.advance(regions_of(frame, SCRATCH), origin(top, len(frame)))
        end = top + len(frame)
        reaching = [first for first, last, *_ in seen_at_once(strip[:end], 1) if last == end]
        assert tracker.first_undecided_line == min(reaching, default=None)
    tracker.end_all()
    assert tracker.first_undecided_line is None


@given(strip=strips, at=cuts, told=st.sets(st.integers(0, 8)))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_who_was_told_as_open_gets_one_end_under_the_same_id(
    strip: NDArray[np.float32], at: set[int], told: set[int]
) -> None:
    tracker = DefectTracker()
    announced: set[str] = set()
    ended: list[TrackedDefect] = []
    for number, (top, frame) in enumerate(frames(strip, at)):
        ended += tracker.advance(regions_of(frame, SCRATCH), origin(top, len(frame))).ended
        if number in told:
            for defect in tracker.open_defects:
                assert tracker.mark_announced(defect.id).announced
                announced.add(defect.id)
    ended += tracker.end_all()
    ends = Counter(defect.id for defect in ended)
    assert announced <= ends.keys()
    assert set(ends.values()) <= {1}
    assert {d.id for d in ended if d.announced} == announced


@given(strip=strips, at=cuts)
@settings(deadline=None, derandomize=True, max_examples=50)
def test_every_defective_pixel_of_a_frame_is_part_of_a_defect(
    strip: NDArray[np.float32], at: set[int]
) -> None:
    tracker = DefectTracker()
    for top, frame in frames(strip, at):
        parts = tracker.advance(regions_of(frame, SCRATCH), origin(top, len(frame))).parts
        assert sum(region.area_px for _, region in parts) == np.count_nonzero(frame > 0.5)


def test_a_scratch_over_many_frames_is_one_defect() -> None:
    strip = np.zeros((900, 8), np.float32)
    strip[7:893, 3] = 1.0
    (scratch,) = track(strip, range(1, 900))
    assert (scratch.first_line, scratch.end_line, scratch.lines) == (7, 893, 886)
    assert (scratch.area_px, scratch.score, scratch.origin.t_ns) == (886, 1.0, 7)


def test_two_that_meet_are_one_and_keep_the_id_of_the_older() -> None:
    strip = picture("#....", "#...#", "#...#", "#####", "..#..")
    (alone,) = track(strip, [])
    (joined,) = track(strip, [1, 2, 3, 4])
    assert joined.id == alone.id
    assert (joined.first_line, joined.area_px) == (0, 11)


def test_branches_of_one_defect_stay_one() -> None:
    strip = picture("#####", "#...#", "#...#", "....#", "....#")
    (fork,) = track(strip, [1, 2, 3, 4])
    assert (fork.area_px, fork.end_line) == (11, 5)


def test_diagonal_neighbours_touch_across_frames() -> None:
    assert len(track(picture("#..", ".#.", "#.."), [1, 2])) == 1
    assert len(track(picture("#..", "..#"), [1])) == 2


def test_one_class_does_not_go_on_with_another() -> None:
    tracker = DefectTracker()
    tracker.advance(regions_of(picture("#"), SCRATCH), origin(0, 1))
    frame = tracker.advance(regions_of(picture("#"), PATCH), origin(1, 1))
    assert [d.defect_class for d in frame.ended] == [SCRATCH]
    assert [d.defect_class for d in tracker.open_defects] == [PATCH]


def test_two_defects_whose_boxes_begin_alike_are_two() -> None:
    strip = picture("##..#", "#..#.", "..#..", ".#...", "#....")
    defects = track(strip, [])
    assert [(d.first_line, d.left_px) for d in defects] == [(0, 0), (0, 0)]
    assert len({d.id for d in defects}) == 2


def test_the_same_place_of_another_stream_has_another_id() -> None:
    ids = set()
    for stream in ("a", "b"):
        tracker = DefectTracker()
        tracker.advance(regions_of(picture("#"), SCRATCH), origin(0, 1, stream))
        ids |= {defect.id for defect in tracker.end_all()}
    assert len(ids) == 2


def test_a_part_counts_once_the_defect_is_large_enough() -> None:
    large = DefectClass(3, "scratch", 0.5, 3, "major")
    tracker = DefectTracker()

    def advance(top: int) -> TrackedFrame:
        return tracker.advance(regions_of(picture("#", "#"), large), origin(top, 2))

    assert advance(0).parts == ()
    ((defect, region),) = advance(2).parts
    assert (defect.area_px, region.area_px) == (4, 2)


def test_what_stays_too_small_is_never_told() -> None:
    assert track(picture(".#.", ".#."), [1], min_area=3) == []


def test_a_long_one_that_was_told_ends_though_it_lives_on_in_another() -> None:
    strip = picture("#...#", "#...#", "#####")
    tracker = DefectTracker()
    tracker.advance(regions_of(strip[:1], SCRATCH), origin(0, 1))
    left, right = (tracker.mark_announced(d.id) for d in tracker.open_defects)
    tracker.advance(regions_of(strip[1:2], SCRATCH), origin(1, 1))
    frame = tracker.advance(regions_of(strip[2:], SCRATCH), origin(2, 1))
    assert [d.id for d in frame.ended] == [right.id]
    assert [d.id for d in tracker.end_all()] == [left.id]


def test_one_that_was_told_gives_its_id_to_an_older_one_that_was_not() -> None:
    tracker = DefectTracker()
    tracker.advance(regions_of(picture("#...."), SCRATCH), origin(0, 1))
    tracker.advance(regions_of(picture("#...#"), SCRATCH), origin(1, 1))
    _, younger = tracker.open_defects
    tracker.mark_announced(younger.id)
    frame = tracker.advance(regions_of(picture("#####"), SCRATCH), origin(2, 1))
    assert frame.ended == ()
    (joined,) = tracker.end_all()
    assert (joined.id, joined.first_line, joined.area_px) == (younger.id, 0, 8)


def test_who_is_not_open_can_not_be_told_as_open() -> None:
    with pytest.raises(KeyError):
        DefectTracker().mark_announced("nobody")


@pytest.mark.parametrize(("gap", "count"), [(0, 1), (3, 1), (4, 2)])
def test_parts_that_stop_short_of_the_border_meet_within_reach(gap: int, count: int) -> None:
    strip = np.zeros((40, 3), np.float32)
    strip[5 : 20 - gap, 1] = 1.0
    strip[20 + gap : 35, 1] = 1.0
    assert len(track(strip, [20], reach=3)) == count
    assert len(track(strip, [20], reach=0)) == (1 if gap == 0 else 2)


@pytest.mark.parametrize(("shift", "count"), [(1, 1), (4, 1), (5, 2)])
def test_parts_that_are_shifted_meet_within_reach(shift: int, count: int) -> None:
    strip = np.zeros((40, 9), np.float32)
    strip[:20, 0] = 1.0
    strip[20:, shift] = 1.0
    assert len(track(strip, [20], reach=3)) == count


def test_what_was_told_as_open_is_not_undecided() -> None:
    tracker = DefectTracker()
    tracker.advance(regions_of(picture("#.."), SCRATCH), origin(0, 1))
    tracker.advance(regions_of(picture("#.#"), SCRATCH), origin(1, 1))
    tracker.mark_announced(tracker.open_defects[0].id)
    assert tracker.first_undecided_line == 1
    tracker.mark_announced(tracker.open_defects[1].id)
    assert tracker.first_undecided_line is None


def test_what_was_told_as_open_ends_even_if_it_is_small() -> None:
    tracker = DefectTracker()
    large = DefectClass(3, "scratch", 0.5, 100, "major")
    tracker.advance(regions_of(picture("#"), large), origin(0, 1))
    told = tracker.mark_announced(tracker.open_defects[0].id)
    assert tracker.end_all() == (told,)
