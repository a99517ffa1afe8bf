"""The figures of a set, on masks small enough to count by hand."""

import numpy as np
import pytest

from train.data.strips import ClassMap
from train.judging.counting import PixelCounts, count_pixels
from train.judging.figures import Prior
from train.judging.intervals import wilson_interval
from train.judging.scoring import score

PRIOR = Prior(0.53, (0.071, 0.020, 0.410, 0.064))


def with_block(class_id: int, width: int) -> ClassMap:
    classes = np.zeros((256, 1600), np.uint8)
    classes[:10, :width] = class_id
    return classes


@pytest.fixture
def counts() -> PixelCounts:
    """Count four strips: half right, missed, right about nothing, and a false alarm."""
    truth = [with_block(1, 20), with_block(3, 10), with_block(0, 1), with_block(0, 1)]
    predicted = [with_block(1, 10), with_block(0, 1), with_block(0, 1), with_block(4, 5)]
    return count_pixels(truth, predicted, class_count=4)


def test_the_score_counts_strips_found_missed_and_falsely_alarmed(counts: PixelCounts) -> None:
    whole = score(counts, prior=PRIOR)
    assert (whole.strips, whole.defective, whole.clean) == (4, 2, 2)
    assert (whole.detected, whole.false_alarms) == (1, 1)
    assert (whole.recall, whole.precision) == (0.5, 0.5)
    assert [one.strips for one in whole.classes] == [1, 0, 1, 0]
    assert [one.found for one in whole.classes] == [1, 0, 0, 0]
    assert [one.reported for one in whole.classes] == [1, 0, 0, 0]
    assert [one.wrongly for one in whole.classes] == [0, 0, 0, 1]


def test_the_kaggle_metric_is_the_mean_over_all_pairs(counts: PixelCounts) -> None:
    whole = score(counts, prior=PRIOR)
    assert whole.dice == pytest.approx((2 / 3 + 0 + 0 + 13) / 16)
    assert whole.dice_empty == 14 / 16
    assert whole.dice_positive == pytest.approx((2 / 3 + 0) / 2)


def test_the_original_mix_weighs_strips_with_the_class_other_defects_and_clean_ones(
    counts: PixelCounts,
) -> None:
    clean = 1 - PRIOR.defective
    first = 0.071 * 2 / 3 + (0.53 - 0.071) * 1 + clean * 1
    second = 1.0
    third = 0.410 * 0 + (0.53 - 0.410) * 1 + clean * 1
    fourth = ((0.53 - 0.064) + clean * 0.5) / (1 - 0.064)  # no strip has it: the others fill in
    whole = score(counts, prior=PRIOR)
    expected = (first + second + third + fourth) / 4
    assert whole.dice_original_mix == pytest.approx(expected)


def test_the_empty_answer_has_the_published_score_of_the_whole_training_set() -> None:
    truth = [with_block(k, 10) for k in (0, 1, 2, 3, 4)]
    nothing = count_pixels(truth, [with_block(0, 1)] * 5, class_count=4)
    whole = score(nothing, prior=PRIOR)
    assert whole.dice_original_mix == pytest.approx(0.85887, abs=2e-4)
    assert whole.dice_original_mix == pytest.approx(whole.dice_empty_original_mix)


def test_intervals_hold_the_figures_and_carry_their_names(counts: PixelCounts) -> None:
    rng = np.random.default_rng(0)
    many = PixelCounts(
        *(np.tile(one, (25, 1)) for one in (counts.truth, counts.predicted, counts.common))
    )
    whole = score(many, prior=PRIOR, peaks=rng.random((100, 4)), resamples=300)
    figures = whole.figures()
    assert whole.intervals.keys() <= figures.keys()
    for name, interval in whole.intervals.items():
        assert interval.low - 1e-9 <= figures[name] <= interval.high + 1e-9, name
    for name in ("dice_original_mix", "auc", "class_3/iou", "class_1/found_share", "iou"):
        assert name in whole.intervals
    assert whole.intervals["false_alarm_share"] == wilson_interval(25, 50)


def test_without_resamples_there_are_no_intervals(counts: PixelCounts) -> None:
    assert not score(counts, prior=PRIOR).intervals


def test_what_cannot_be_measured_is_left_out_of_the_figures(counts: PixelCounts) -> None:
    figures = score(counts, prior=PRIOR).figures()
    assert "auc" not in figures
    assert "class_2/dice_positive" not in figures
    assert "class_2/precision" not in figures
    assert figures["class_4/precision"] == 0


def test_any_number_of_classes_can_be_scored() -> None:
    maps = [np.full((3, 5), k, np.uint8) for k in range(7)]
    whole = score(count_pixels(maps, maps, class_count=6), prior=Prior(0.5, (0.1,) * 6))
    assert len(whole.classes) == 6
    assert whole.dice == whole.iou == whole.iou_with_background == whole.dice_original_mix == 1


def test_no_strips_score_zero() -> None:
    empty = count_pixels([], [], class_count=4)
    whole = score(empty, prior=PRIOR, peaks=np.zeros((0, 4)), resamples=10)
    assert (whole.dice, whole.strips, whole.auc) == (0, 0, None)
