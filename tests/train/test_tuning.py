"""Fitting finds the thresholds and areas that were put into the data."""

import numpy as np
import pytest

from train.runs import provisional_classes
from train.tuning import MIN_AREAS_PX, TuningSet, strip_weights, tune


def make_case(speckles: int) -> TuningSet:
    """Defects of class 3 at 0.65 in a halo of 0.45; clean strips with sure but small speckles."""
    probabilities = np.zeros((8, 4, 64, 400), np.float32)
    truth = np.zeros((8, 256, 1600), np.uint8)
    for n in range(4):
        probabilities[n, 2, 10:50, 90:170] = 0.45
        probabilities[n, 2, 20:40, 100:160] = 0.65
        truth[n, 80:160, 400:640] = 3
    for n in range(4, 4 + speckles):
        probabilities[n, 2, 30:34, 200:204] = 0.9
    return TuningSet(probabilities, truth, np.zeros(8, bool))


def test_the_threshold_separates_defect_from_halo() -> None:
    tuned = tune(make_case(speckles=0), provisional_classes())[2]
    assert 0.45 <= tuned.threshold < 0.65


def test_the_minimum_area_shuts_out_speckles_but_no_defect() -> None:
    tuned = tune(make_case(speckles=4), provisional_classes())[2]
    assert 100 < tuned.min_area_px < 20 * 60 * 16


def test_ids_names_and_severities_stay() -> None:
    before = provisional_classes()
    after = tune(make_case(speckles=1), before)
    assert [(c.id, c.name, c.severity) for c in after] == [
        (c.id, c.name, c.severity) for c in before
    ]
    assert all(c.min_area_px in MIN_AREAS_PX for c in after)


def make_mix() -> tuple[TuningSet, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """Make one strip with the class, three with another, one real and four simulated clean ones."""
    truth = np.zeros((9, 2, 2), np.uint8)
    truth[0], truth[1:4] = 1, 3
    is_simulated = np.arange(9) >= 5
    strips = TuningSet(np.zeros((9, 4, 1, 1), np.float32), truth, is_simulated)
    return strips, np.arange(9) == 0


def test_a_few_real_clean_strips_weigh_as_much_as_many_simulated_ones() -> None:
    strips, has_class = make_mix()
    weights = strip_weights(strips, has_class, share=0.4, caution=1.0)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] == pytest.approx(0.4)
    assert weights[1:4].sum() == pytest.approx(0.2)
    assert weights[4] == pytest.approx(0.2) == pytest.approx(weights[5:].sum())


def test_caution_puts_weight_on_clean_strips() -> None:
    strips, has_class = make_mix()
    plain, careful = (strip_weights(strips, has_class, share=0.4, caution=c) for c in (1.0, 2.0))
    assert careful.sum() == pytest.approx(1)
    assert careful[4:].sum() > plain[4:].sum()
