import pytest

from train.judging.intervals import Interval
from train.report.gathering import RunFacts
from train.report.wording import (
    FIGURE_NAMES,
    HIGHER_IS_BETTER,
    count_text,
    difference_text,
    measured_text,
    span_text,
)


def test_shares_are_told_in_percent_and_dice_is_not(study: dict[str, RunFacts]) -> None:
    score = study["steel-nano"].headline
    assert score is not None
    assert measured_text(score, "false_alarm_share").split("\n")[0].endswith(" %")
    assert "%" not in measured_text(score, "dice_positive")
    assert span_text("class_1/found_share", Interval(0.5, 0.75)) == "50.0 to 75.0"


def test_a_figure_that_could_not_be_measured_is_left_out_and_not_made_up(
    study: dict[str, RunFacts],
) -> None:
    score = study["steel-nano"].headline
    assert score is not None
    assert measured_text(score, "class_9/dice_positive") == ""
    assert "\n" in measured_text(score, "dice_original_mix")


def test_differences_have_a_sign() -> None:
    assert difference_text("dice", 0.0123) == "+0.012"
    assert difference_text("detected_share", -0.05) == "-5.0"


@pytest.mark.parametrize(
    ("count", "told"), [(950, "950"), (5_288_548, "5.3 M"), (123_400_000, "123 M"), (2e9, "2.0 G")]
)
def test_large_numbers_are_told_as_people_do(count: float, told: str) -> None:
    assert count_text(count) == told


def test_of_all_figures_only_false_alarms_are_better_when_lower() -> None:
    assert [name for name in FIGURE_NAMES if not HIGHER_IS_BETTER[name]] == ["false_alarm_share"]
