import cv2
import numpy as np
from hypothesis import given, settings, strategies as st

from edge_daemon.core.defects import DefectClass
from edge_daemon.report.colours import class_colour
from train.judging.curves import StripFigures
from train.report.cases import case_picture, draw_case, judge_strip, worst_cases

CLASSES = tuple(
    DefectClass(k, name, threshold=0.5, min_area_px=0, severity="minor")
    for k, name in ((1, "pitting"), (2, "<scratch>"))
)


def strip(
    name: str, truth: tuple[int, int], predicted: tuple[int, int], common: tuple[int, int]
) -> StripFigures:
    dice = tuple(
        2 * c / (t + p) if t + p else 1.0 for t, p, c in zip(truth, predicted, common, strict=True)
    )
    return StripFigures(name, truth, predicted, common, dice, (0.5, 0.5))


GOOD = strip("good", (100, 0), (100, 0), (95, 0))
EMPTY = strip("empty", (0, 0), (0, 0), (0, 0))
MISSED = strip("missed", (100, 0), (0, 0), (0, 0))
MISSED_MORE = strip("missed more", (900, 0), (0, 0), (0, 0))
ALARM = strip("alarm", (0, 0), (0, 40), (0, 0))
ROUGH = strip("rough", (100, 0), (100, 0), (40, 0))


def test_what_is_good_or_rightly_empty_is_no_case() -> None:
    assert judge_strip(GOOD) is None
    assert judge_strip(EMPTY) is None


def test_kinds_of_mistakes_come_in_turn_and_the_worst_of_each_first() -> None:
    cases = worst_cases([GOOD, ROUGH, MISSED, ALARM, EMPTY, MISSED_MORE], 10)
    assert [(case.figures.name, case.kind) for case in cases] == [
        ("missed more", "missed"),
        ("alarm", "false alarm"),
        ("rough", "badly outlined"),
        ("missed", "missed"),
    ]
    assert [case.figures.name for case in worst_cases([MISSED, ALARM], 1)] == ["missed"]


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2, max_size=2))
def test_every_mistake_that_matters_is_a_case(areas: list[tuple[int, int]]) -> None:
    (truth_1, predicted_1), (truth_2, predicted_2) = areas
    common = (min(truth_1, predicted_1), 0)
    one = strip("any", (truth_1, truth_2), (predicted_1, predicted_2), common)
    case = judge_strip(one)
    wrong = [d < 0.8 for d in one.dice]
    assert (case is not None) or not any(wrong)
    if case is not None:
        assert case.wrong_px > 0


def test_the_picture_has_the_truth_above_and_the_prediction_below() -> None:
    grey = np.full((64, 128), 90, np.uint8)
    truth, predicted = np.zeros_like(grey), np.zeros_like(grey)
    truth[10:40, 10:60] = 1
    predicted[10:40, 70:120] = 2
    encoded = np.frombuffer(case_picture(grey, truth, predicted), np.uint8)
    picture = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (64 + 6 + 64, 128, 3)

    def near(row: int, column: int, number: int) -> bool:
        found, colour = picture[row, column].astype(int), class_colour(number)[::-1]
        return bool(np.abs(found - colour).max() < 110 and np.ptp(found) > 30)

    assert near(10, 30, 1)
    assert near(70 + 10, 90, 2)
    assert np.ptp(picture[10, 90].astype(int)) < 30, "nothing is labelled there"


def test_a_picture_is_told_in_words() -> None:
    grey = np.full((64, 128), 90, np.uint8)
    truth = np.zeros_like(grey)
    truth[10:20, 10:20] = 1
    case = judge_strip(MISSED)
    assert case is not None
    drawn = draw_case(case, grey, truth, predicted=np.zeros_like(grey), classes=CLASSES)
    assert drawn.caption.startswith("missed: pitting")
    assert drawn.description == "Strip missed; labelled: pitting 100 px; predicted: nothing."
