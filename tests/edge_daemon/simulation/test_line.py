from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from edge_daemon.simulation.line import SyntheticFrame, SyntheticLine, TrueDefect
from edge_daemon.simulation.marks import ClassMask

# small frames and much trouble: a few metres of strip have all that matters
LINE = SyntheticLine(
    seed=8,
    coils=2,
    coil_length_mm=3500.0,
    defects_per_m=6.0,
    roll_mark_pitch_mm=400.3,
    width=800,
)


@pytest.fixture(scope="module")
def frames() -> list[SyntheticFrame]:
    return list(LINE.frames())


@pytest.fixture(scope="module")
def truth(frames: list[SyntheticFrame]) -> list[TrueDefect]:
    return [defect for frame in frames for defect in frame.finished]


def coil_mask(frames: list[SyntheticFrame], coil: str) -> ClassMask:
    return np.concatenate([frame.mask for frame in frames if frame.coil == coil])


def test_frames_follow_each_other_without_a_gap(frames: list[SyntheticFrame]) -> None:
    assert [frame.first_line for frame in frames] == [256 * n for n in range(len(frames))]
    assert {frame.coil for frame in frames} == {"C1001", "C1002"}
    assert len(frames) == 2 * LINE.frames_per_coil
    for frame in frames:
        assert frame.image.shape == frame.mask.shape == (256, 800)
        assert frame.position_mm == frame.coil_row * 0.5
    tails = [frame.coil for frame in frames if frame.is_last_of_coil]
    assert tails == ["C1001", "C1002"]


def test_equal_lines_give_equal_bytes_and_another_seed_gives_others(
    frames: list[SyntheticFrame],
) -> None:
    again = LINE.frames()
    for frame in frames[:6]:
        repeat = next(again)
        assert frame.image.tobytes() == repeat.image.tobytes()
        assert frame.mask.tobytes() == repeat.mask.tobytes()
        assert frame.finished == repeat.finished
    other = next(SyntheticLine(seed=9, coil_length_mm=500.0, width=800).frames())
    assert frames[0].image.tobytes() != other.image.tobytes()


def test_no_seam_shows_where_two_frames_meet(frames: list[SyntheticFrame]) -> None:
    image = np.concatenate([frame.image for frame in frames if frame.coil == "C1001"])
    step = np.abs(np.diff(image.astype(np.float32), axis=0)).mean(axis=1)
    at_border = step[255::256]
    assert at_border.max() < step.mean() + 5 * step.std()
    assert abs(at_border.mean() - step.mean()) < step.std()


def test_a_defect_across_a_border_is_in_both_masks(
    frames: list[SyntheticFrame], truth: list[TrueDefect]
) -> None:
    mask = coil_mask(frames, "C1001")
    crossing = [
        (defect, row)
        for defect in truth
        if defect.coil == "C1001"
        for row in range(256, len(mask), 256)
        if defect.bbox_xywh[1] < row < defect.bbox_xywh[1] + defect.bbox_xywh[3]
    ]
    assert crossing
    for defect, row in crossing:
        left, _, width, _ = defect.bbox_xywh
        assert (mask[row - 1, left : left + width] == defect.class_id).any()
        assert (mask[row, left : left + width] == defect.class_id).any()


def test_the_truth_accounts_for_every_labelled_pixel(
    frames: list[SyntheticFrame], truth: list[TrueDefect]
) -> None:
    assert truth
    for coil in ("C1001", "C1002"):
        mask = coil_mask(frames, coil)
        of_coil = [defect for defect in truth if defect.coil == coil]
        assert [defect.number for defect in of_coil] == list(range(1, len(of_coil) + 1))
        for class_id in range(1, 5):
            areas = [defect.area_px for defect in of_coil if defect.class_id == class_id]
            assert sum(areas) == int((mask == class_id).sum())


def test_the_connected_regions_of_the_mask_are_the_defects(
    frames: list[SyntheticFrame], truth: list[TrueDefect]
) -> None:
    for coil in ("C1001", "C1002"):
        mask = coil_mask(frames, coil)
        found = set(_regions(mask))
        assert found == {
            (defect.class_id, defect.bbox_xywh, defect.area_px)
            for defect in truth
            if defect.coil == coil
        }


def test_millimetres_follow_from_pixels() -> None:
    line = SyntheticLine(
        seed=1,
        coil_length_mm=600.0,
        mm_per_px_along=0.25,
        mm_per_px_across=0.4,
        roll_mark_pitch_mm=200.0,
        defects_per_m=0.0,
        width=400,
    )
    defects = [defect for frame in line.frames() for defect in frame.finished]
    assert defects
    for defect in defects:
        left, top, width, height = defect.bbox_xywh
        assert defect.position_mm == pytest.approx(top * 0.25)
        assert defect.across_mm == pytest.approx(left * 0.4)
        assert defect.length_mm == pytest.approx(height * 0.25)
        assert defect.width_mm == pytest.approx(width * 0.4)
        assert defect.area_mm2 == pytest.approx(defect.area_px * 0.1)


def test_the_roll_mark_returns_after_exactly_one_turn(truth: list[TrueDefect]) -> None:
    pitch = 400.3 / 0.5
    whole = [
        defect
        for defect in truth
        if defect.kind == "roll_mark"
        and defect.bbox_xywh[1] > 0
        and defect.bbox_xywh[1] + defect.bbox_xywh[3] < LINE.rows_per_coil
    ]
    assert len(whole) > 10
    assert {defect.class_id for defect in whole} == {1}
    lines = [
        defect.bbox_xywh[1] + LINE.rows_per_coil * (defect.coil == "C1002") for defect in whole
    ]
    turns = np.round((np.asarray(lines) - lines[0]) / pitch)
    assert np.abs(lines[0] + turns * pitch - lines).max() <= 1
    assert len({defect.bbox_xywh[0] for defect in whole}) == 1
    assert len({defect.area_px for defect in whole}) == 1


def test_without_a_damaged_roll_and_defects_the_strip_is_clean() -> None:
    line = SyntheticLine(coil_length_mm=500.0, defects_per_m=0, roll_mark_pitch_mm=None, width=400)
    for frame in line.frames():
        assert not frame.mask.any()
        assert frame.finished == ()


def test_a_long_scratch_is_one_defect_over_many_frames() -> None:
    line = SyntheticLine(
        seed=5, coil_length_mm=6000.0, defects_per_m=6.0, roll_mark_pitch_mm=None, height=1024
    )
    lengths = [
        defect.length_mm
        for frame in line.frames()
        for defect in frame.finished
        if defect.kind == "scratch"
    ]
    assert max(lengths) > 2000


def test_the_first_frame_of_an_endless_line_comes_at_once() -> None:
    line = SyntheticLine(coils=10**6, coil_length_mm=1000.0, width=400)
    assert next(line.frames()).first_line == 0


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (SyntheticLine(coils=0), "coils"),
        (SyntheticLine(width=100), "width"),
        (SyntheticLine(seed=-1), "seed"),
        (SyntheticLine(coil_length_mm=0.0), "coil_length_mm"),
        (SyntheticLine(mm_per_px_along=float("nan")), "mm_per_px_along"),
        (SyntheticLine(defects_per_m=float("inf")), "defects_per_m"),
        (SyntheticLine(roll_mark_pitch_mm=-1.0), "roll_mark_pitch_mm"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(line: SyntheticLine, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        next(line.frames())


def _regions(mask: ClassMask) -> Iterator[tuple[int, tuple[int, int, int, int], int]]:
    for class_id in range(1, 5):
        same = (mask == class_id).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(same, connectivity=8)
        for left, top, width, height, area in stats[1:count].tolist():
            yield class_id, (left, top, width, height), area
