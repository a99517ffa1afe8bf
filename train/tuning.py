"""Fitting thresholds and minimum areas on held-out strips, class by class.

A setting is good where strips with the class are outlined well and all others are left alone. How
much the one weighs against the other is a choice. By the original mix of strips a rare class would
best never be reported (class 2 is on 2 % of them), so each class counts as if it were on a fifth
at least. Of the rest, two thirds go to clean strips, where a false report is an alarm for nothing,
and one to strips with other defects. Held-out clean strips are few; simulated clean ones, which
carry marks that only look like defects, take half of their weight.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import Probabilities
from train.strips import HEIGHT, WIDTH, ClassMap

ORIGINAL_CLASS_SHARES = (0.071, 0.020, 0.410, 0.064)
RARE_FLOOR = 0.2
CLEAN_PART = 2 / 3
NOISE = 0.002
"""Of a gain: the set's labels are not exact enough to tell settings closer than this apart."""
THRESHOLDS = tuple(float(t) for t in np.round(np.arange(0.30, 0.81, 0.05), 2))
MIN_AREAS_PX = (0, 100, 200, 300, 450, 600, 800, 1000, 1300, 1600, 2000, 2500, 3000, 4000)


@dataclass(frozen=True, slots=True)
class TuningSet:
    """Answers and truth of the strips to fit on.

    Attributes:
        probabilities: (N, K, h, w) network output.
        truth: (N, H, W) class maps.
        is_simulated: (N,) which strips are simulated.
    """

    probabilities: Probabilities
    truth: ClassMap
    is_simulated: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Trial:
    """One threshold for one class over all strips, at every minimum area.

    Attributes:
        threshold: the probability.
        dice: (A, N) Dice of each strip at each minimum area; 1 where truth and prediction are
            empty.
    """

    threshold: float
    dice: NDArray[np.float64]


def tune(
    strips: TuningSet, classes: Sequence[DefectClass], *, caution: float = 0.5
) -> tuple[DefectClass, ...]:
    """The same classes with fitted thresholds and minimum areas.

    Classes are fitted one by one: where two overlap (rare), the daemon gives a pixel to the more
    probable, which is left out of account here.

    Args:
        strips: what to fit on.
        classes: K classes.
        caution: factor on the weight of clean strips.
    """
    tuned = []
    for plane, defect_class in enumerate(classes):
        is_class = strips.truth == defect_class.id
        share = max(RARE_FLOOR, ORIGINAL_CLASS_SHARES[plane])
        has_class = np.asarray(is_class.any(axis=(1, 2)), np.bool_)
        weights = strip_weights(strips, has_class, share=share, caution=caution)
        trials = list(_trials(strips.probabilities[:, plane], is_class))
        gains = np.array([trial.dice @ weights for trial in trials])
        row, column = _best(gains)
        threshold, min_area_px = trials[row].threshold, MIN_AREAS_PX[column]
        tuned.append(replace(defect_class, threshold=threshold, min_area_px=min_area_px))
    return tuple(tuned)


def strip_weights(
    strips: TuningSet, has_class: NDArray[np.bool_], *, share: float, caution: float
) -> NDArray[np.float64]:
    """Weights (N,) for one class; they sum to 1.

    Args:
        strips: what to fit on.
        has_class: (N,) strips that have the class.
        share: weight of those, of all.
        caution: factor on the weight of clean strips.
    """
    is_clean = np.asarray(~strips.truth.any(axis=(1, 2)), np.bool_)
    clean = (1 - share) * CLEAN_PART * caution
    groups = (
        (has_class, share),
        (is_clean & ~strips.is_simulated, clean / 2),
        (is_clean & strips.is_simulated, clean / 2),
        (~is_clean & ~has_class, (1 - share) * (1 - CLEAN_PART)),
    )
    weights = np.zeros(len(is_clean))
    for members, weight in groups:
        weights[members] = weight / max(1, int(members.sum()))
    return np.asarray(weights / weights.sum(), np.float64)


def _best(gains: NDArray[np.float64]) -> tuple[int, int]:
    """Row (threshold) and column (area) of the setting to take.

    Gains are averaged over neighbours first: a lone peak is luck, a plateau holds on other strips.
    Of all that are as good within the labels' noise, the highest threshold alarms least.
    """
    plateau = cv2.blur(gains, (3, 3), borderType=cv2.BORDER_REPLICATE)
    is_as_good = (plateau >= plateau.max() - NOISE).any(axis=1)
    row = int(np.flatnonzero(is_as_good)[-1])
    return row, int(plateau[row].argmax())


def _trials(planes: NDArray[np.float32], truth: NDArray[np.bool_]) -> Iterator[Trial]:
    fine = [cv2.resize(plane, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR) for plane in planes]
    for threshold in THRESHOLDS:
        columns = [
            _dice_by_area(one > threshold, mask) for one, mask in zip(fine, truth, strict=True)
        ]
        yield Trial(threshold, np.stack(columns, axis=1))


def _dice_by_area(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Dice (A,) of one strip at each minimum area."""
    labelled = int(truth.sum())
    if not predicted.any():
        return np.full(len(MIN_AREAS_PX), 1.0 if labelled == 0 else 0.0)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(predicted.view(np.uint8), connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA].astype(np.int64)
    common = np.bincount(labels[truth], minlength=len(areas) + 1)[1:]
    keeps = areas >= np.array(MIN_AREAS_PX)[:, None]
    either = keeps @ areas + labelled
    return np.where(either > 0, 2 * (keeps @ common) / np.maximum(either, 1), 1.0)
