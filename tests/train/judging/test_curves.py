"""Curves against counting threshold by threshold."""

import numpy as np
import pytest

from train.judging.counting import count_pixels
from train.judging.curves import image_curves, pixel_curves, strip_figures


def test_pixel_precision_and_recall_are_those_counted_at_each_threshold() -> None:
    rng = np.random.default_rng(0)
    answers = [np.round(rng.random((2, 8, 8)), 2).astype(np.float32) for _ in range(3)]
    truth = [rng.integers(0, 3, (8, 8), dtype=np.uint8) for _ in range(3)]
    curve = pixel_curves(answers, truth, names=["one", "two"])[1]
    assert len(curve.threshold) == 101
    probability = np.stack([one[1] for one in answers]).astype(np.float64)
    labelled = np.stack(truth) == 2
    points = zip(curve.threshold, curve.precision, curve.recall, strict=True)
    for threshold, precision, recall in list(points)[::7]:
        reported = probability > threshold - 0.005
        assert recall == pytest.approx((reported & labelled).sum() / labelled.sum(), abs=1e-4)
        if reported.any():
            assert precision == pytest.approx(
                (reported & labelled).sum() / reported.sum(), abs=1e-4
            )


def test_a_cell_counts_for_the_part_that_is_labelled() -> None:
    answer = np.array([[[0.9, 0.2]]], np.float32)
    class_map = np.zeros((4, 8), np.uint8)
    class_map[:, 1:4] = 1
    curve = pixel_curves([answer], [class_map], names=["one"])[0]
    at_half = curve.threshold.index(0.5)
    assert (curve.precision[at_half], curve.recall[at_half]) == (0.75, 1)
    assert (curve.precision[0], curve.recall[0]) == (0.375, 1)


def test_perfect_ranking_has_an_average_precision_of_one() -> None:
    peaks = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.9], [0.1, 0.05]])
    labels = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], bool)
    curves = image_curves(peaks, labels, names=["one", "two"])
    assert [curve.name for curve in curves] == ["one", "two", "any"]
    assert [curve.average_precision for curve in curves] == [1, 1, 1]


def test_average_precision_is_the_mean_precision_at_each_hit() -> None:
    peaks = np.array([[0.9], [0.8], [0.7], [0.6]])
    curve = image_curves(peaks, np.array([[1], [0], [1], [0]], bool), names=["one"])[0]
    assert curve.average_precision == pytest.approx((1 + 2 / 3) / 2, abs=1e-4)


def test_a_class_that_is_nowhere_has_no_average_precision() -> None:
    curve = image_curves(np.array([[0.9]]), np.zeros((1, 1), bool), names=["one"])[0]
    assert curve.average_precision is None


def test_strips_keep_their_names_and_counts() -> None:
    truth, predicted = np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8)
    truth[0], predicted[:2] = 1, 1
    counts = count_pixels([truth], [predicted], class_count=2)
    figures = strip_figures(["a.jpg"], counts, np.array([[0.9, 0.1]]))[0]
    assert (figures.name, figures.truth, figures.predicted) == ("a.jpg", (4, 0), (8, 0))
    assert figures.dice == pytest.approx((2 * 4 / 12, 1), abs=1e-4)
