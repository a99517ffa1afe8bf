"""Fitting each class's threshold and minimum area on held-out strips, and telling how it went.

`train.judging.settings` says how settings are chosen. Here the choice is made once with all strips,
which gives the classes of the bundle, and again for each group of strips with the others: those
choices, their price included, have never seen the group, so figures with them are honest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass
from train.judging.counting import PixelCounts
from train.judging.figures import Prior
from train.judging.grouping import GROUPS
from train.judging.scoring import Score, score
from train.judging.settings import PRICES, Chooser, Objective, Settings, at_settings
from train.judging.trials import MIN_AREAS_PX, THRESHOLDS, Trials


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """What else could be had: the fit at one price of an alarm. Figures are cross-fitted.

    Attributes:
        price: of alarming on all clean strips.
        false_alarm_share: of clean strips.
        detected_share: of defective strips, those with any report.
        dice_positive: mean over the classes of their positives-only Dice.
        dice_original_mix: Kaggle's Dice on the prior's mix.
        settings: (threshold, minimum area) of each class, chosen with all strips.
    """

    price: float
    false_alarm_share: float
    detected_share: float
    dice_positive: float
    dice_original_mix: float
    settings: tuple[tuple[float, int], ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """Fitted thresholds and areas, and how they were found.

    Attributes:
        objective: what was made the most of.
        budget: share of clean strips that might be alarmed on; of no meaning to `kaggle`.
        keeps_budget: whether it was kept to on strips left out of the fit.
        price: of an alarm, that does so or comes nearest.
        strips: N that were fitted on.
        clean_strips: of those, without any defect.
        classes: fitted on all strips.
        cross_fitted: for each group of strips, classes fitted on all other groups.
        trade_off: the same fit at all prices.
    """

    objective: Objective
    budget: float
    keeps_budget: bool
    price: float
    strips: int
    clean_strips: int
    classes: tuple[DefectClass, ...]
    cross_fitted: tuple[tuple[DefectClass, ...], ...]
    trade_off: tuple[OperatingPoint, ...]


@dataclass(frozen=True, slots=True)
class Tuning:
    """A fit, and what it was made of.

    Attributes:
        weights_sha256: of the run's averaged weights.
        step: optimiser steps behind them.
        runs: names of the runs whose held-out strips were pooled.
        groups: of each of this run's held-out strips, by name: which of `fit.cross_fitted` is fair
            to it.
        fit: the fit.
    """

    weights_sha256: str
    step: int
    runs: tuple[str, ...]
    groups: dict[str, int]
    fit: Fit


def tune(
    trials: Trials,
    groups: NDArray[np.int64],
    classes: Sequence[DefectClass],
    *,
    prior: Prior,
    objective: Objective,
    budget: float,
) -> Fit:
    """Fit K classes on N strips.

    Args:
        trials: tables of all strips.
        groups: (N,) group of each strip, 0..4.
        classes: whose thresholds and areas are to be replaced.
        prior: the mix of strips where the network will work.
        objective: what to make the most of.
        budget: share of clean strips that may be alarmed on.
    """
    chooser = Chooser.of(trials, groups, prior, objective)
    choice = chooser.choose(np.ones(len(groups), np.bool_), budget=budget)
    others = [chooser.choose(groups != group, budget=budget) for group in range(GROUPS)]
    return Fit(
        objective=objective,
        budget=budget,
        keeps_budget=choice.keeps_budget,
        price=choice.price,
        strips=len(groups),
        clean_strips=int(chooser.is_clean.sum()),
        classes=_with_settings(classes, choice.settings),
        cross_fitted=tuple(_with_settings(classes, other.settings) for other in others),
        trade_off=tuple(_trade_off(chooser)),
    )


def _trade_off(chooser: Chooser) -> Iterator[OperatingPoint]:
    everyone = np.ones(len(chooser.groups), np.bool_)
    whole, crossed = chooser.ladder(everyone), chooser.cross_ladders(everyone)
    for step, price in enumerate(PRICES):
        figures = _score_left_out(chooser, [(group, ladder[step]) for group, ladder in crossed])
        yield OperatingPoint(
            price=price,
            false_alarm_share=figures.false_alarms / max(1, figures.clean),
            detected_share=figures.recall,
            dice_positive=figures.dice_positive,
            dice_original_mix=figures.dice_original_mix,
            settings=tuple((THRESHOLDS[t], MIN_AREAS_PX[a]) for t, a in whole[step]),
        )


def _score_left_out(
    chooser: Chooser, settings: Sequence[tuple[NDArray[np.bool_], Settings]]
) -> Score:
    """Figures of all strips, each group at its own settings."""
    trials = chooser.trials
    counts = np.zeros((3, len(trials.truth) + 1, trials.truth.shape[1]), np.int64)
    counts[0, 1:] = trials.truth
    for group, own in settings:
        counts[1, 1:, group] = at_settings(trials.predicted, own)[:, group].T
        counts[2, 1:, group] = at_settings(trials.common, own)[:, group].T
    # the tables know nothing of the background, so column 0 stays empty and its IoU unmeasured
    return score(PixelCounts(*(one.T for one in counts)), prior=chooser.prior)


def _with_settings(classes: Sequence[DefectClass], settings: Settings) -> tuple[DefectClass, ...]:
    return tuple(
        replace(one, threshold=THRESHOLDS[t], min_area_px=MIN_AREAS_PX[a])
        for one, (t, a) in zip(classes, settings, strict=True)
    )
