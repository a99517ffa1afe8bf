"""Weighted figures against the plainest way to compute them: repeat the strips and count."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from numpy.typing import NDArray

from train.judging.counting import PixelCounts
from train.judging.figures import Outcome, Prior, area_under_roc, at_prior, measure
from train.judging.intervals import as_they_are

K = 3
PRIOR = Prior(0.5, (0.3, 0.2, 0.1))


def random_outcome(seed: int, strips: int) -> Outcome:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 50, (strips, K + 1)) * (rng.random((strips, K + 1)) < 0.5)
    predicted = rng.integers(0, 50, (strips, K + 1)) * (rng.random((strips, K + 1)) < 0.5)
    common = np.floor(np.minimum(truth, predicted) * rng.random((strips, K + 1))).astype(np.int64)
    peaks = rng.integers(0, 6, (strips, K)) / 5
    return Outcome(PixelCounts(truth, predicted, common), peaks, PRIOR)


def repeated(outcome: Outcome, times: NDArray[np.int64]) -> Outcome:
    rows = np.repeat(np.arange(len(times)), times)
    counts = outcome.counts
    parts = (one[rows] for one in (counts.truth, counts.predicted, counts.common))
    assert outcome.peaks is not None
    return Outcome(PixelCounts(*parts), outcome.peaks[rows], outcome.prior)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(seed=st.integers(0, 10_000), times=st.lists(st.integers(0, 3), min_size=3, max_size=8))
def test_a_weight_is_as_good_as_having_the_strip_so_often(seed: int, times: list[int]) -> None:
    outcome = random_outcome(seed, len(times))
    weighted = measure(outcome, np.array([times], np.float64))
    plain = measure(repeated(outcome, np.array(times)), as_they_are(sum(times)))
    assert weighted.keys() == plain.keys()
    for name, value in weighted.items():
        assert value == pytest.approx(plain[name], nan_ok=True), name


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=12))
def test_the_auc_is_the_share_of_pairs_in_the_right_order(ranked: list[tuple[int, bool]]) -> None:
    peaks = np.array([peak for peak, _ in ranked], np.float64)
    is_positive = np.array([positive for _, positive in ranked])
    pairs = [(a > b) + 0.5 * (a == b) for a in peaks[is_positive] for b in peaks[~is_positive]]
    expected = np.mean(pairs) if pairs else np.nan
    found = area_under_roc(peaks, is_positive, as_they_are(len(ranked)))[0]
    assert found == pytest.approx(expected, nan_ok=True)


def test_predicting_nothing_scores_the_empty_part_of_the_prior() -> None:
    outcome = random_outcome(1, 40)
    empty = measure(outcome, as_they_are(40))["dice_empty_original_mix"]
    assert empty == pytest.approx(1 - np.mean(PRIOR.classes))


def test_a_set_of_the_priors_own_mix_is_not_changed_by_it() -> None:
    has_class = np.zeros((10, K), bool)
    has_class[:3, 0] = has_class[3:5, 1] = has_class[4, 2] = True
    values = np.random.default_rng(0).random((10, K))
    weighed = at_prior(values, has_class, as_they_are(10), prior=PRIOR)
    assert weighed == pytest.approx(values.mean())


def test_without_clean_strips_the_defective_ones_stand_for_all() -> None:
    has_class = np.ones((4, 1), bool)
    values = np.full((4, 1), 0.25)
    assert at_prior(values, has_class, as_they_are(4), prior=Prior(0.5, (0.5,))) == 0.25


def test_iou_pools_the_pixels_of_all_strips() -> None:
    counts = PixelCounts(
        truth=np.array([[90, 10], [100, 0]]),
        predicted=np.array([[80, 20], [70, 30]]),
        common=np.array([[80, 10], [70, 0]]),
    )
    values = measure(Outcome(counts, None, Prior(0.5, (0.5,))), as_they_are(2))
    iou, background = 10 / (10 + 50 - 10), 150 / (190 + 150 - 150)
    assert values["class_1/iou"] == values["iou"] == pytest.approx(iou)
    assert values["iou_with_background"] == pytest.approx((iou + background) / 2)
    assert "auc" not in values
