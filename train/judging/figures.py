"""Every figure as a function of how much each strip counts.

With all weights 1 these are the figures of the set; with the weights of many drawings they are
what the bootstrap needs, at the same code. Arrays: N strips, K classes, R drawings.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.config import DataConfig
from train.judging.counting import PixelCounts
from train.judging.intervals import Values, Weights

PerStrip = NDArray[np.float64] | NDArray[np.int64] | NDArray[np.bool_]
"""(N,)."""


@dataclass(frozen=True, slots=True)
class Prior:
    """The mix of strips where the network will work.

    Attributes:
        defective: share of strips with any defect.
        classes: (K) share of strips with each class.
    """

    defective: float
    classes: tuple[float, ...]

    @classmethod
    def of(cls, data: DataConfig) -> "Prior":
        """As a run's configuration states it."""
        return cls(data.defective_prior, data.class_priors)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a set of strips.

    Attributes:
        counts: pixels per strip and class.
        peaks: (N, K) highest probability anywhere on the strip: what ranks strips for the AUC;
            None leaves that out.
        prior: the mix to weigh for.
    """

    counts: PixelCounts
    peaks: NDArray[np.float64] | None
    prior: Prior


def measure(outcome: Outcome, weights: Weights) -> dict[str, Values]:
    """Every figure that isn't a plain count, on each drawing."""
    counts = outcome.counts
    has_class = counts.has_class()
    dice, empty = counts.dice(), (~has_class).astype(np.float64)
    everyone = np.ones(len(counts))
    iou = np.stack([_iou(counts, plane, weights) for plane in range(counts.class_count + 1)])
    values = {
        "dice": _ratio(weights, dice.mean(axis=1), everyone),
        "dice_empty": _ratio(weights, empty.mean(axis=1), everyone),
        "dice_original_mix": at_prior(dice, has_class, weights, prior=outcome.prior),
        "dice_empty_original_mix": at_prior(empty, has_class, weights, prior=outcome.prior),
        "iou": _mean_of_known(iou[1:]),
        "iou_with_background": _mean_of_known(iou),
    }
    positive = []
    for k in range(counts.class_count):
        has = has_class[:, k]
        positive.append(_ratio(weights, dice[:, k] * has, has))
        values[f"class_{k + 1}/dice_positive"] = positive[k]
        values[f"class_{k + 1}/dice"] = _ratio(weights, dice[:, k], everyone)
        values[f"class_{k + 1}/dice_empty"] = _ratio(weights, empty[:, k], everyone)
        values[f"class_{k + 1}/iou"] = iou[k + 1]
        if outcome.peaks is not None:
            values[f"class_{k + 1}/auc"] = area_under_roc(outcome.peaks[:, k], has, weights)
    values["dice_positive"] = _mean_of_known(np.stack(positive))
    if outcome.peaks is not None:
        highest = outcome.peaks.max(axis=1, initial=0.0)
        values["auc"] = area_under_roc(highest, counts.has_defect(), weights)
    return values


def at_prior(
    values: NDArray[np.float64],
    has_class: NDArray[np.bool_],
    weights: Weights,
    *,
    prior: Prior,
) -> Values:
    """Mean of values (N, K) as it would be on strips of the prior's mix.

    For each class, strips fall into three groups: those that have it, other defective ones, and
    clean ones. The means over the groups are weighted with the groups' shares in the mix. A group
    that is not in the set is left out, and the others' shares are scaled up.
    """
    is_defective = np.asarray(has_class.any(axis=1))
    classes = []
    for k, share in enumerate(prior.classes):
        has = has_class[:, k]
        groups = (
            (has, share),
            (is_defective & ~has, max(0.0, prior.defective - share)),
            (~is_defective, 1 - prior.defective),
        )
        means = np.stack([_ratio(weights, values[:, k] * group, group) for group, _ in groups])
        shares = np.array([[part] for _, part in groups]) * ~np.isnan(means)  # (3, R)
        with np.errstate(invalid="ignore"):
            classes.append(np.nansum(means * shares, axis=0) / shares.sum(axis=0))
    return _mean_of_known(np.stack(classes))


def area_under_roc(peaks: PerStrip, is_positive: NDArray[np.bool_], weights: Weights) -> Values:
    """Chance that a strip with the defect ranks above one without; a tie counts half.

    Source: Hanley and McNeil, The meaning and use of the area under a ROC curve, 1982.
    """
    if not len(peaks):
        return np.full(len(weights), np.nan)
    order = np.argsort(peaks, kind="stable")
    levels = np.flatnonzero(np.diff(peaks[order].astype(np.float64), prepend=-np.inf))
    with_it = np.add.reduceat((weights * is_positive)[:, order], levels, axis=1)  # (R, levels)
    without = np.add.reduceat((weights * ~is_positive)[:, order], levels, axis=1)
    beaten = np.cumsum(without, axis=1) - without / 2
    pairs = with_it.sum(axis=1) * without.sum(axis=1)
    return np.where(pairs > 0, (with_it * beaten).sum(axis=1) / np.maximum(pairs, 1e-12), np.nan)


def _iou(counts: PixelCounts, plane: int, weights: Weights) -> Values:
    """Intersection over union of all pixels of the set together; plane 0 is the background."""
    common = counts.common[:, plane]
    return _ratio(weights, common, counts.truth[:, plane] + counts.predicted[:, plane] - common)


def _ratio(weights: Weights, numerator: PerStrip, denominator: PerStrip) -> Values:
    above, below = weights @ numerator.astype(np.float64), weights @ denominator.astype(np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def _mean_of_known(values: NDArray[np.float64]) -> Values:
    """Mean over the first axis of what could be measured; nan where nothing could."""
    known = ~np.isnan(values)
    return np.where(
        known.any(axis=0),
        np.nansum(values, axis=0) / np.maximum(known.sum(axis=0), 1),
        np.nan,
    )
