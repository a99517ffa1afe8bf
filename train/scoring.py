"""How well masks match: the Kaggle metric, and the figures that it hides.

Kaggle's Severstal metric is the mean over all (strip, class) pairs of the Dice coefficient 2 |A
and B| / (|A| + |B|), which is 1 where truth and prediction are both empty. Most pairs are empty,
so predicting nothing already scores high: every figure here stands beside that baseline, and
beside the mean over the pairs that do have a defect.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass, find_regions, paint
from edge_daemon.core.tiling import Probabilities
from train.strips import CLASSES, HEIGHT, WIDTH, ClassMap

ORIGINAL_DEFECTIVE_SHARE = 0.530
"""Of the 12,568 strips of the original training set, 5,902 have no defect."""


def predict_classes(probability: Probabilities, classes: Sequence[DefectClass]) -> ClassMap:
    """Class map (H, W) of one strip's network output (K, h, w), by the daemon's own steps.

    Regions below the minimum area are dropped even at the strip's first and last row: a strip that
    stands alone has no neighbour in which they could go on.
    """
    stride_px = HEIGHT // probability.shape[1]
    regions = find_regions(
        probability, classes, height_px=HEIGHT, width_px=WIDTH, stride_px=stride_px
    )
    large = [region for region in regions if region.area_px >= region.defect_class.min_area_px]
    return np.asarray(paint(large, height_px=HEIGHT, width_px=WIDTH), np.uint8)


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels of each (strip, class) pair; everything else is derived from these.

    Attributes:
        truth: (N, 4) labelled pixels.
        predicted: (N, 4) predicted pixels.
        common: (N, 4) pixels that are both.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    common: NDArray[np.int64]

    def dice(self) -> NDArray[np.float64]:
        """(N, 4) Dice coefficients; 1 where truth and prediction are both empty."""
        either = self.truth + self.predicted
        return np.where(either > 0, 2 * self.common / np.maximum(either, 1), 1.0)

    def has_defect(self) -> NDArray[np.bool_]:
        """(N,) strips that are labelled defective."""
        return np.asarray(self.truth.any(axis=1))


def count_pixels(truth: Iterable[ClassMap], predicted: Iterable[ClassMap]) -> PixelCounts:
    """Count over pairs of class maps (H, W)."""
    rows = []
    for true_map, predicted_map in zip(truth, predicted, strict=True):
        same = true_map[true_map == predicted_map]
        rows.append(
            [
                np.bincount(one.ravel(), minlength=CLASSES + 1)[1:]
                for one in (true_map, predicted_map, same)
            ]
        )
    table = np.array(rows, np.int64).reshape(-1, 3, CLASSES)
    return PixelCounts(table[:, 0], table[:, 1], table[:, 2])


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class over a set of strips.

    Attributes:
        strips: number of strips that have the class.
        found: of those, strips on which at least one labelled pixel was predicted as this class.
        wrongly: strips without the class on which it was predicted.
        dice_positive: mean Dice over the strips that have it; 0 where there are none.
        dice: mean Dice over all strips.
        dice_empty: mean Dice of predicting nothing.
    """

    strips: int
    found: int
    wrongly: int
    dice_positive: float
    dice: float
    dice_empty: float


@dataclass(frozen=True, slots=True)
class Score:
    """A set of strips.

    Attributes:
        classes: per class 1..4.
        strips: N.
        defective: strips labelled defective.
        detected: of those, strips on which anything was predicted.
        false_alarms: strips labelled clean on which anything was predicted.
        dice: Kaggle's mean Dice.
        dice_empty: the same for predicting nothing.
        dice_original_mix: `dice` as it would be if 53 % of the strips were defective, as in the
            original training set: the means over defective and clean strips, weighted so.
        dice_empty_original_mix: the same for predicting nothing.
    """

    classes: tuple[ClassScore, ...]
    strips: int
    defective: int
    detected: int
    false_alarms: int
    dice: float
    dice_empty: float
    dice_original_mix: float
    dice_empty_original_mix: float

    @property
    def clean(self) -> int:
        """Strips labelled clean."""
        return self.strips - self.defective

    @property
    def dice_positive(self) -> float:
        """Mean over the classes of their positives-only Dice."""
        return float(np.mean([one.dice_positive for one in self.classes]))


def score(counts: PixelCounts) -> Score:
    """Every figure of a set of strips."""
    dice = counts.dice()
    empty = (counts.truth == 0).astype(np.float64)
    is_defective = counts.has_defect()
    is_alarmed = counts.predicted.any(axis=1)
    return Score(
        classes=tuple(_class_score(counts, dice[:, k], k) for k in range(CLASSES)),
        strips=len(dice),
        defective=int(is_defective.sum()),
        detected=int((is_defective & is_alarmed).sum()),
        false_alarms=int((~is_defective & is_alarmed).sum()),
        dice=_mean(dice),
        dice_empty=_mean(empty),
        dice_original_mix=_original_mix(dice, is_defective),
        dice_empty_original_mix=_original_mix(empty, is_defective),
    )


def _class_score(counts: PixelCounts, dice: NDArray[np.float64], k: int) -> ClassScore:
    has_class = counts.truth[:, k] > 0
    return ClassScore(
        strips=int(has_class.sum()),
        found=int((counts.common[has_class, k] > 0).sum()),
        wrongly=int((counts.predicted[~has_class, k] > 0).sum()),
        dice_positive=_mean(dice[has_class]),
        dice=_mean(dice),
        dice_empty=_mean((~has_class).astype(np.float64)),
    )


def _original_mix(dice: NDArray[np.float64], is_defective: NDArray[np.bool_]) -> float:
    defective, clean = _mean(dice[is_defective]), _mean(dice[~is_defective])
    return ORIGINAL_DEFECTIVE_SHARE * defective + (1 - ORIGINAL_DEFECTIVE_SHARE) * clean


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if values.size else 0.0
