"""The choice of settings, on tables in which the right one is known."""

import numpy as np
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st

from train.judging.figures import Prior
from train.judging.settings import Chooser, Objective
from train.judging.trials import MIN_AREAS_PX, THRESHOLDS, Trials

STRIPS = 60
PRIOR = Prior(0.5, (0.3, 0.2))
NUMBERS = np.arange(STRIPS) % 5
EVERYONE = np.ones(STRIPS, np.bool_)


def make_trials(alarms: tuple[tuple[float, ...], tuple[float, ...]], *, seed: int = 0) -> Trials:
    """Make two classes: strips 0-14 have the first, 15-29 the second, the others are clean.

    Every setting outlines the same part of a defect, less at higher thresholds: the quality falls
    from 1 to 0.2. A clean strip is alarmed on at threshold row t in a share `alarms[k][t]`
    of the cases, whatever the area.
    """
    shape = (2, len(THRESHOLDS), len(MIN_AREAS_PX), STRIPS)
    truth = np.zeros((2, STRIPS), np.int32)
    truth[0, :15] = truth[1, 15:30] = 1000
    common = np.zeros(shape, np.int32)
    quality = np.linspace(1000, 200, len(THRESHOLDS)).astype(np.int32)
    for k in range(2):
        common[k][..., truth[k] > 0] = quality[:, None, None]
    predicted = common.copy()
    luck = np.random.default_rng(seed).permuted(np.tile(np.arange(30) / 30, (2, 1)), axis=1)
    for k in range(2):
        for t in range(len(THRESHOLDS)):
            predicted[k, t][:, 30:] = 500 * (luck[k] < alarms[k][t])
    return Trials(truth, predicted, common)


def falling(first: float) -> tuple[float, ...]:
    return tuple(np.linspace(first, 0, len(THRESHOLDS)))


def chooser(trials: Trials, objective: Objective = "alarms") -> Chooser:
    return Chooser.of(trials, NUMBERS, PRIOR, objective)


def test_without_alarms_the_best_outline_is_taken() -> None:
    choice = chooser(make_trials((falling(0), falling(0)))).choose(EVERYONE, budget=0.05)
    assert [t for t, _ in choice.settings] == [0, 0]
    assert choice.price == 0


def test_of_equal_settings_the_one_that_reports_least_is_taken() -> None:
    choice = chooser(make_trials((falling(0), falling(0)))).choose(EVERYONE, budget=0.05)
    assert [a for _, a in choice.settings] == [len(MIN_AREAS_PX) - 1] * 2


@pytest.mark.parametrize(("lost", "is_taken"), [(2, True), (50, False)])
def test_fragments_are_given_up_for_less_than_the_noise_of_labels(
    lost: int,
    *,
    is_taken: bool,
) -> None:
    trials = make_trials((falling(0), falling(0)))
    trials.common[:, :, 5:] -= np.minimum(trials.common[:, :, 5:], lost)
    settings = chooser(trials).choose(EVERYONE, budget=0.05).settings
    assert [a == len(MIN_AREAS_PX) - 1 for _, a in settings] == [is_taken] * 2


@pytest.mark.parametrize("budget", [0.1, 0.3, 0.6])
def test_the_budget_is_kept_over_all_classes_together(budget: float) -> None:
    fitter = chooser(make_trials((falling(0.9), falling(0.5))))
    choice = fitter.choose(EVERYONE, budget=budget)
    assert choice.keeps_budget
    assert fitter.alarms(choice.settings, EVERYONE) <= budget * 30 + 2


def test_a_larger_budget_never_asks_a_higher_price() -> None:
    fitter = chooser(make_trials((falling(0.9), falling(0.5))))
    prices = [fitter.choose(EVERYONE, budget=budget).price for budget in np.linspace(0, 1, 11)]
    assert prices == sorted(prices, reverse=True)
    assert prices[0] > prices[-1]


def test_the_class_that_alarms_for_nothing_gives_way_first() -> None:
    always = (0.5,) * (len(THRESHOLDS) - 1) + (0.0,)
    fitter = chooser(make_trials((always, falling(0.1))))
    first, second = fitter.choose(EVERYONE, budget=0.15).settings
    assert first[0] == len(THRESHOLDS) - 1
    assert second[0] < len(THRESHOLDS) // 2


def test_a_budget_that_cannot_be_kept_is_owned_up_to() -> None:
    always = (0.5,) * len(THRESHOLDS)
    choice = chooser(make_trials((always, always))).choose(EVERYONE, budget=0.05)
    assert not choice.keeps_budget


def test_kaggle_shuts_a_rare_class_up_that_alarms() -> None:
    always = (0.6,) * (len(THRESHOLDS) - 3) + (0.0,) * 3
    trials = make_trials((falling(0), always))
    rare = Chooser.of(trials, NUMBERS, Prior(0.5, (0.3, 0.02)), "kaggle")
    first, second = rare.choose(EVERYONE, budget=0.0).settings
    assert first[0] == 0
    assert second[0] >= len(THRESHOLDS) - 3


def test_a_lone_peak_is_not_trusted() -> None:
    trials = make_trials((falling(0), falling(0)))
    trials.common[0, 10, 8, :15] = trials.predicted[0, 10, 8, :15] = 1000
    trials.common[0, 0, 0, :15] = trials.predicted[0, 0, 0, :15] = 990
    t, _ = chooser(trials).choose(EVERYONE, budget=1.0).settings[0]
    assert t < 2


@hypothesis_settings(derandomize=True, deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000), left_out=st.integers(0, 4))
def test_strips_left_out_do_not_sway_the_choice(seed: int, left_out: int) -> None:
    trials = make_trials((falling(0.7), falling(0.7)), seed=seed)
    chosen = np.asarray(left_out != NUMBERS)
    before = chooser(trials).choose(chosen, budget=0.1)
    trials.predicted[..., ~chosen] = np.random.default_rng(seed).integers(
        0, 2000, trials.predicted[..., ~chosen].shape
    )
    trials.common[..., ~chosen] //= 2
    assert chooser(trials).choose(chosen, budget=0.1) == before
