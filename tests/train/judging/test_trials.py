"""The tables hold what the daemon's own steps would give at every setting."""

import numpy as np

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import Probabilities
from train.data.strips import ClassMap
from train.judging.counting import count_pixels, predict_classes
from train.judging.trials import MIN_AREAS_PX, THRESHOLDS, Trials, try_settings


def random_case() -> tuple[list[Probabilities], list[ClassMap]]:
    """Draw strips of two sizes with blobs of one class; one strip with nothing at all."""
    rng = np.random.default_rng(4)
    answers, truth = [], []
    for height, width in ((64, 160), (64, 160), (50, 90)):
        coarse = rng.random((1, -(-height // 4), -(-width // 4)), dtype=np.float32)
        answers.append(coarse**2)
        class_map = np.zeros((height, width), np.uint8)
        class_map[10:40, 20:80] = 1
        truth.append(class_map)
    answers.append(np.zeros((1, 16, 40), np.float32))
    truth.append(np.zeros((64, 160), np.uint8))
    return answers, truth


def test_every_setting_counts_what_the_daemon_would_predict() -> None:
    answers, truth = random_case()
    trials = try_settings(answers, truth, class_count=1, tell=lambda _: None)
    for t, threshold in enumerate(THRESHOLDS):
        for a, min_area_px in list(enumerate(MIN_AREAS_PX))[::4]:
            classes = [DefectClass(1, "one", threshold, min_area_px, "minor")]
            predicted = [
                predict_classes(one, classes, height_px=m.shape[0], width_px=m.shape[1])
                for one, m in zip(answers, truth, strict=True)
            ]
            counts = count_pixels(truth, predicted, class_count=1)
            assert np.array_equal(trials.predicted[0, t, a], counts.predicted[:, 1])
            assert np.array_equal(trials.common[0, t, a], counts.common[:, 1])
            assert np.allclose(trials.dice()[0, t, a], counts.dice()[:, 0])


def test_joined_tables_are_those_of_all_strips() -> None:
    answers, truth = random_case()
    whole = try_settings(answers, truth, class_count=1, tell=lambda _: None)
    halves = [
        try_settings(answers[part], truth[part], class_count=1, tell=lambda _: None)
        for part in (slice(2), slice(2, None))
    ]
    joined = Trials.joined(halves)
    assert np.array_equal(joined.truth, whole.truth)
    assert np.array_equal(joined.common, whole.common)


def test_progress_is_told() -> None:
    lines: list[str] = []
    try_settings(*random_case(), class_count=1, tell=lines.append)
    assert lines == ["settings tried on 0 of 4 strips"]
