"""Fitting finds the thresholds and areas that were put into the data, and reports honestly."""

import numpy as np

from edge_daemon.core.tiling import Probabilities
from train.config import DataConfig
from train.data.strips import ClassMap
from train.judging.counting import count_pixels, predict_classes
from train.judging.figures import Prior
from train.judging.grouping import GROUPS
from train.judging.scoring import score
from train.judging.settings import PRICES
from train.judging.trials import try_settings
from train.judging.tuning import Fit, tune
from train.runs import provisional_classes

HEIGHT, WIDTH = 64, 320
PRIOR = Prior(0.53, (0.071, 0.020, 0.410, 0.064))
CLASSES = provisional_classes(DataConfig())
NUMBERS = np.arange(20) % GROUPS


def make_case(speckles: int) -> tuple[list[Probabilities], list[ClassMap]]:
    """Ten defects of class 3 at 0.68 in a halo of 0.42; ten clean strips, some with sure specks."""
    answers, truth = [], []
    for n in range(20):
        answer = np.zeros((4, HEIGHT // 4, WIDTH // 4), np.float32)
        class_map = np.zeros((HEIGHT, WIDTH), np.uint8)
        if n < 10:
            answer[2, 2:14, 8:52] = 0.42
            answer[2, 4:12, 10:50] = 0.68
            class_map[16:48, 40:200] = 3
        elif n < 10 + speckles:
            answer[2, 8:12, 40:44] = 0.95
        answers.append(answer)
        truth.append(class_map)
    return answers, truth


def fit(speckles: int, *, budget: float = 0.0) -> Fit:
    trials = try_settings(*make_case(speckles), class_count=4, tell=lambda _: None)
    return tune(trials, NUMBERS, CLASSES, prior=PRIOR, objective="alarms", budget=budget)


def test_the_threshold_separates_defect_from_halo() -> None:
    found = fit(speckles=0)
    assert 0.42 <= found.classes[2].threshold < 0.68
    assert found.keeps_budget


def test_the_minimum_area_shuts_out_speckles_but_no_defect() -> None:
    found = fit(speckles=6).classes[2]
    assert 256 < found.min_area_px <= 32 * 160
    assert found.threshold < 0.68


def test_ids_names_and_severities_stay() -> None:
    found = fit(speckles=1)
    for classes in (found.classes, *found.cross_fitted):
        assert [(c.id, c.name, c.severity) for c in classes] == [
            (c.id, c.name, c.severity) for c in CLASSES
        ]


def test_the_fit_says_what_it_was_fitted_on() -> None:
    found = fit(speckles=1, budget=0.2)
    assert (found.strips, found.clean_strips, found.budget) == (20, 10, 0.2)
    assert len(found.cross_fitted) == GROUPS
    assert [point.price for point in found.trade_off] == list(PRICES)


def test_the_trade_off_is_what_the_daemon_would_make_of_strips_left_out() -> None:
    answers, truth = make_case(speckles=6)
    trials = try_settings(answers, truth, class_count=4, tell=lambda _: None)
    found = tune(trials, NUMBERS, CLASSES, prior=PRIOR, objective="kaggle", budget=0.0)
    predicted = [
        predict_classes(one, found.cross_fitted[group], height_px=HEIGHT, width_px=WIDTH)
        for one, group in zip(answers, NUMBERS.tolist(), strict=True)
    ]
    honest = score(count_pixels(truth, predicted, class_count=4), prior=PRIOR)
    first = found.trade_off[0]  # kaggle takes price 0
    assert first.dice_original_mix == honest.dice_original_mix
    assert first.false_alarm_share == honest.false_alarms / honest.clean
    assert first.detected_share == honest.recall
