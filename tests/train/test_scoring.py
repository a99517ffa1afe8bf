"""The figures, on masks small enough to count by hand."""

import numpy as np
import pytest

from edge_daemon.core.defects import DefectClass
from train.scoring import (
    ORIGINAL_DEFECTIVE_SHARE,
    PixelCounts,
    count_pixels,
    predict_classes,
    score,
)
from train.strips import ClassMap


def blank() -> ClassMap:
    return np.zeros((256, 1600), np.uint8)


def with_block(class_id: int, width: int) -> ClassMap:
    classes = blank()
    classes[:10, :width] = class_id
    return classes


@pytest.fixture
def counts() -> PixelCounts:
    """Count four strips: half right, missed, right about nothing, and a false alarm."""
    truth = [with_block(1, 20), with_block(3, 10), blank(), blank()]
    predicted = [with_block(1, 10), blank(), blank(), with_block(4, 5)]
    return count_pixels(truth, predicted)


def test_dice_is_twice_the_common_pixels_over_both(counts: PixelCounts) -> None:
    expected = np.ones((4, 4))
    expected[0, 0] = 2 * 100 / (200 + 100)
    expected[1, 2] = expected[3, 3] = 0
    assert np.allclose(counts.dice(), expected)


def test_the_score_counts_strips_found_missed_and_falsely_alarmed(counts: PixelCounts) -> None:
    whole = score(counts)
    assert (whole.strips, whole.defective, whole.clean) == (4, 2, 2)
    assert (whole.detected, whole.false_alarms) == (1, 1)
    assert [one.strips for one in whole.classes] == [1, 0, 1, 0]
    assert [one.found for one in whole.classes] == [1, 0, 0, 0]
    assert [one.wrongly for one in whole.classes] == [0, 0, 0, 1]


def test_predicting_nothing_scores_the_share_of_empty_pairs(counts: PixelCounts) -> None:
    assert score(counts).dice_empty == 14 / 16
    nothing = PixelCounts(counts.truth, counts.truth * 0, counts.truth * 0)
    assert score(nothing).dice == 14 / 16


def test_the_original_mix_weighs_defective_and_clean_strips(counts: PixelCounts) -> None:
    defective = (2 / 3 + 1 + 1 + 1 + 1 + 1 + 0 + 1) / 8
    clean = (4 + 3) / 8
    expected = ORIGINAL_DEFECTIVE_SHARE * defective + (1 - ORIGINAL_DEFECTIVE_SHARE) * clean
    assert score(counts).dice_original_mix == pytest.approx(expected)


def test_a_prediction_of_another_class_is_not_common() -> None:
    counts = count_pixels([with_block(1, 10)], [with_block(2, 10)])
    assert counts.common.sum() == 0
    assert counts.dice()[0].tolist() == [0, 0, 1, 1]


def test_small_regions_are_dropped_even_at_the_edge_of_a_strip() -> None:
    probability = np.zeros((4, 64, 400), np.float32)
    probability[0, :2, 10:12] = 0.9
    probability[2, 20:40, 100:140] = 0.9
    classes = [DefectClass(k, str(k), 0.5, 1000, "minor") for k in range(1, 5)]
    assert set(np.unique(predict_classes(probability, classes))) == {0, 3}


def test_no_strips_score_zero() -> None:
    assert score(count_pixels([], [])).dice == 0
