"""How two runs differ on the same strips, with a paired bootstrap interval.

Strips are drawn with replacement, the same for both runs, and the figures of both are taken from
what was drawn: most of a figure's spread is that of the strips, and it cancels (Efron and
Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.judging.counting import PixelCounts
from train.judging.curves import Curves, StripFigures
from train.judging.figures import Outcome, Prior, measure
from train.judging.intervals import (
    RESAMPLES,
    Interval,
    Values,
    Weights,
    as_they_are,
    bootstrap_interval,
    draw_again,
)
from train.runs import CLEAN_STRETCHES, VALIDATION

SEED = 0


@dataclass(frozen=True, slots=True)
class Difference:
    """The other run less the baseline.

    Attributes:
        value: of the figure, on the strips that both were judged on.
        interval: 95 %, paired.
    """

    value: float
    interval: Interval

    @property
    def is_sure(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.interval.low > 0 or self.interval.high < 0


def held_out_strips(curves: Mapping[str, Curves]) -> dict[str, StripFigures]:
    """Name -> figures of every held-out strip and clean stretch, at cross-fitted thresholds."""
    return {
        f"{where}/{one.name}": one
        for where in (VALIDATION, CLEAN_STRETCHES)
        if where in curves
        for one in curves[where].cross_fitted
    }


def paired_differences(
    baseline: Mapping[str, StripFigures], other: Mapping[str, StripFigures], *, prior: Prior
) -> dict[str, Difference] | None:
    """Figure -> difference; None where the two weren't judged on the same strips.

    Figures are those of `Score.figures` that need no AUC and no background.
    """
    names = sorted(baseline)
    if not names or names != sorted(other):
        return None
    before, after = ([one[name] for name in names] for one in (baseline, other))
    if any(a.truth != b.truth for a, b in zip(before, after, strict=True)):
        return None  # the same names with other labels
    once = as_they_are(len(names))
    again = draw_again(len(names), resamples=RESAMPLES, seed=SEED)
    values, spread = (_less(after, before, weights, prior=prior) for weights in (once, again))
    intervals = {name: bootstrap_interval(drawn) for name, drawn in spread.items()}
    return {
        name: Difference(float(values[name][0]), interval)
        for name, interval in intervals.items()
        if interval is not None and not np.isnan(values[name][0])
    }


def _less(
    after: Sequence[StripFigures],
    before: Sequence[StripFigures],
    weights: Weights,
    *,
    prior: Prior,
) -> dict[str, Values]:
    new, old = (_figures(one, weights, prior=prior) for one in (after, before))
    return {name: new[name] - old[name] for name in new}


def _figures(
    strips: Sequence[StripFigures], weights: Weights, *, prior: Prior
) -> dict[str, Values]:
    counts = PixelCounts(
        _with_background([one.truth for one in strips]),
        _with_background([one.predicted for one in strips]),
        _with_background([one.common for one in strips]),
    )
    figures = measure(Outcome(counts, None, prior), weights)
    del figures["iou_with_background"]
    is_defective = np.asarray(counts.has_class().any(axis=1))
    is_alarmed = np.asarray(counts.is_reported().any(axis=1))
    figures["detected_share"] = _share(weights, is_alarmed, of=is_defective)
    figures["false_alarm_share"] = _share(weights, is_alarmed, of=~is_defective)
    return figures


def _with_background(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """(N, K + 1) pixels; those of the background are not known, and not used."""
    table = np.array(rows, np.int64)
    return np.concatenate([np.zeros((len(table), 1), np.int64), table], axis=1)


def _share(weights: Weights, counted: NDArray[np.bool_], *, of: NDArray[np.bool_]) -> Values:
    whole = weights @ of.astype(np.float64)
    part = weights @ (counted & of).astype(np.float64)
    return np.where(whole > 0, part / np.maximum(whole, 1.0), np.nan)
