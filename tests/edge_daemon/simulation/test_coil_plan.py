import itertools

from edge_daemon.simulation.coil_plan import PlannedMark, plan_coil, plan_roll_marks
from edge_daemon.simulation.recipes import RECIPES

ROWS = 200_000


def plan(defects: float = 40.0, roll_marks: list[PlannedMark] | None = None) -> list[PlannedMark]:
    return plan_coil(
        (1, 2, 3),
        rows=ROWS,
        columns=range(60, 1540),
        expected_defects=defects,
        roll_marks=roll_marks or [],
    )


def test_marks_lie_inside_the_coil_in_order_and_touch_no_other() -> None:
    marks = plan()
    assert 20 < len(marks) < 90
    assert [mark.top for mark in marks] == sorted(mark.top for mark in marks)
    for mark in marks:
        assert mark.top >= 0
        assert mark.top + mark.height <= ROWS
        assert mark.left >= 60
        assert mark.left + mark.width <= 1540
    assert not any(a.touches(b) for a, b in itertools.combinations(marks, 2))


def test_a_plan_without_defects_is_empty() -> None:
    assert plan(0.0) == []


def test_a_coil_has_long_clean_stretches() -> None:
    marks = plan()
    ends = [0, *itertools.accumulate((mark.top + mark.height for mark in marks), max)]
    starts = [*(mark.top for mark in marks), ROWS]
    longest = max(start - end for start, end in zip(starts, ends, strict=True))
    assert longest > ROWS / 20


def test_a_coil_too_short_for_a_mark_goes_without() -> None:
    assert (
        plan_coil((1,), rows=50, columns=range(10, 90), expected_defects=9.0, roll_marks=[]) == []
    )


def test_roll_marks_return_every_turn_across_the_weld() -> None:
    pitch = 3141.59
    lines = []
    for first_line in range(0, 5 * 10_240, 10_240):
        marks = plan_roll_marks((9,), first_line=first_line, rows=10_240, pitch=pitch, column=800)
        lines += [first_line + mark.top for mark in marks]
        assert {mark.left + mark.width // 2 for mark in marks} == {800}
    turns = sorted(set(lines))
    phase = turns[0]
    assert all(abs(line - phase - n * pitch) <= 1 for n, line in enumerate(turns))


def test_planned_roll_marks_are_kept_and_nothing_lies_on_them() -> None:
    roll_marks = plan_roll_marks((9,), first_line=0, rows=ROWS, pitch=1000.0, column=800)
    marks = plan(roll_marks=roll_marks)
    assert [mark for mark in marks if mark.kind == "roll_mark"] == roll_marks
    others = [mark for mark in marks if mark.kind != "roll_mark"]
    assert not any(a.touches(b) for a in others for b in roll_marks)


def test_drawings_stay_within_the_room_they_were_planned_with() -> None:
    border = 18  # what a mark may add on both sides together, less than the clearance of 24
    for mark in plan(120.0):
        height, width = mark.draw().gain.shape
        assert height <= mark.height + 2 * 12, mark.kind
        assert width <= mark.width + border + 6, mark.kind
        assert mark.kind in RECIPES
