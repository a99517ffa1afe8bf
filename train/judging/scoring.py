"""How well masks match: the Kaggle metric, and the figures that it hides.

Kaggle's Severstal metric is the mean over all (strip, class) pairs of the Dice coefficient 2 |A
and B| / (|A| + |B|), which is 1 where truth and prediction are both empty. Most pairs are empty,
so predicting nothing already scores high: every figure here stands beside that baseline, and
beside the mean over the pairs that do have a defect.

The flat names of the figures (`Score.figures`, intervals, a bundle's manifest):

    strips defective detected clean false_alarms      counts
    detected_share                     of the defective strips, those with any report
    false_alarm_share                  of the clean strips, those with any report
    precision                          of the strips with any report, those that are defective
    auc                                chance that a defective strip ranks above a clean one, by the
                                       highest probability anywhere on it
    dice dice_empty                    Kaggle's metric, and what predicting nothing scores
    dice_original_mix                  the same on the mix of strips that the configuration states
    dice_empty_original_mix
    dice_positive                      mean over the classes of the next but one
    iou iou_with_background            mean over the classes (and background) of the pixels of the
                                       whole set: common / either
    class_1/strips found wrongly       counts
    class_1/dice_positive              mean Dice over the strips that have the class
    class_1/dice dice_empty iou auc precision recall found_share
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from train.judging.counting import PixelCounts
from train.judging.figures import Outcome, Prior, measure
from train.judging.intervals import (
    Interval,
    Values,
    as_they_are,
    bootstrap_interval,
    draw_again,
    wilson_interval,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class over a set of strips.

    Attributes:
        strips: number of strips that have the class.
        found: of those, strips on which at least one labelled pixel was predicted as this class.
        reported: of those, strips on which it was predicted anywhere.
        wrongly: strips without the class on which it was predicted.
        dice_positive: mean Dice over the strips that have it; 0 where there are none.
        dice: mean Dice over all strips.
        dice_empty: mean Dice of predicting nothing.
        iou: common / either, of the pixels of all strips together; 0 where there are none.
        auc: chance that a strip that has it ranks above one that hasn't; None where one kind lacks.
    """

    strips: int
    found: int
    reported: int
    wrongly: int
    dice_positive: float
    dice: float
    dice_empty: float
    iou: float
    auc: float | None

    @property
    def recall(self) -> float:
        """Of the strips that have the class, those on which it was reported; 0 where none has."""
        return _share(self.reported, self.strips)

    @property
    def precision(self) -> float:
        """Of the strips on which it was reported, those that have it; 0 where there was none."""
        return _share(self.reported, self.reported + self.wrongly)

    def figures(self) -> dict[str, float]:
        """Name -> value of all that could be measured."""
        return _known(
            {
                "strips": self.strips,
                "found": self.found,
                "wrongly": self.wrongly,
                "found_share": self.found / self.strips if self.strips else None,
                "recall": self.recall if self.strips else None,
                "precision": self.precision if self.reported + self.wrongly else None,
                "dice_positive": self.dice_positive if self.strips else None,
                "dice": self.dice,
                "dice_empty": self.dice_empty,
                "iou": self.iou,
                "auc": self.auc,
            }
        )


@dataclass(frozen=True, slots=True)
class Score:
    """A set of strips; the module's docstring says what the figures are.

    Attributes:
        classes: per class 1..K.
        strips: N.
        defective: strips labelled defective.
        detected: of those, strips on which anything was predicted.
        false_alarms: strips labelled clean on which anything was predicted.
        dice: Kaggle's mean Dice.
        dice_empty: the same for predicting nothing.
        dice_original_mix: `dice` as it would be on the prior's mix of strips.
        dice_empty_original_mix: the same for predicting nothing.
        dice_positive: mean over the classes that occur of their positives-only Dice.
        iou: mean over the classes.
        iou_with_background: mean over the classes and the background.
        auc: chance that a defective strip ranks above a clean one; None where one kind lacks.
        prior: the mix.
        intervals: 95 % intervals by the names of `figures`; none where they weren't asked for.
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
    dice_positive: float
    iou: float
    iou_with_background: float
    auc: float | None
    prior: Prior
    intervals: Mapping[str, Interval]

    @property
    def clean(self) -> int:
        """Strips labelled clean."""
        return self.strips - self.defective

    @property
    def recall(self) -> float:
        """Of the defective strips, those with any report; 0 where there are none."""
        return _share(self.detected, self.defective)

    @property
    def precision(self) -> float:
        """Of the strips with any report, the defective ones; 0 where there are none."""
        return _share(self.detected, self.detected + self.false_alarms)

    def figures(self) -> dict[str, float]:
        """Name -> value of all that could be measured."""
        alarmed = self.detected + self.false_alarms
        figures = _known(
            {
                "strips": self.strips,
                "defective": self.defective,
                "detected": self.detected,
                "clean": self.clean,
                "false_alarms": self.false_alarms,
                "detected_share": self.recall if self.defective else None,
                "false_alarm_share": self.false_alarms / self.clean if self.clean else None,
                "precision": self.precision if alarmed else None,
                "dice": self.dice,
                "dice_empty": self.dice_empty,
                "dice_original_mix": self.dice_original_mix,
                "dice_empty_original_mix": self.dice_empty_original_mix,
                "dice_positive": self.dice_positive if self.defective else None,
                "iou": self.iou,
                "iou_with_background": self.iou_with_background,
                "auc": self.auc,
            }
        )
        for number, one in enumerate(self.classes, start=1):
            figures |= {f"class_{number}/{name}": v for name, v in one.figures().items()}
        return figures


def score(
    counts: PixelCounts,
    *,
    prior: Prior,
    peaks: NDArray[np.float64] | None = None,
    resamples: int = 0,
    seed: int = 0,
) -> Score:
    """Every figure of a set of strips.

    Args:
        counts: pixels of N strips.
        prior: the mix of strips to weigh for.
        peaks: (N, K) highest probability of each class on each strip, for the AUC.
        resamples: drawings for the intervals; 0 leaves intervals out.
        seed: of the drawings.
    """
    outcome = Outcome(counts, peaks, prior)
    values = measure(outcome, as_they_are(len(counts)))
    is_defective, is_alarmed = counts.has_defect(), counts.is_reported().any(axis=1)
    whole = Score(
        classes=tuple(_class_score(counts, values, k) for k in range(counts.class_count)),
        strips=len(counts),
        defective=int(is_defective.sum()),
        detected=int((is_defective & is_alarmed).sum()),
        false_alarms=int((~is_defective & is_alarmed).sum()),
        dice=_or_zero(values, "dice"),
        dice_empty=_or_zero(values, "dice_empty"),
        dice_original_mix=_or_zero(values, "dice_original_mix"),
        dice_empty_original_mix=_or_zero(values, "dice_empty_original_mix"),
        dice_positive=_or_zero(values, "dice_positive"),
        iou=_or_zero(values, "iou"),
        iou_with_background=_or_zero(values, "iou_with_background"),
        auc=_or_none(values, "auc"),
        prior=prior,
        intervals={},
    )
    if not resamples:
        return whole
    weights = draw_again(len(counts), resamples=resamples, seed=seed)
    return replace(whole, intervals=_counted(whole) | _drawn(measure(outcome, weights)))


def _class_score(counts: PixelCounts, values: Mapping[str, Values], k: int) -> ClassScore:
    has_class, is_reported = counts.has_class()[:, k], counts.is_reported()[:, k]
    name = f"class_{k + 1}"
    return ClassScore(
        strips=int(has_class.sum()),
        found=int((counts.common[:, k + 1] > 0).sum()),
        reported=int((has_class & is_reported).sum()),
        wrongly=int((~has_class & is_reported).sum()),
        dice_positive=_or_zero(values, f"{name}/dice_positive"),
        dice=_or_zero(values, f"{name}/dice"),
        dice_empty=_or_zero(values, f"{name}/dice_empty"),
        iou=_or_zero(values, f"{name}/iou"),
        auc=_or_none(values, f"{name}/auc"),
    )


def _counted(score: Score) -> dict[str, Interval]:
    """Intervals of all shares that are counted."""
    counts = {
        "detected_share": (score.detected, score.defective),
        "false_alarm_share": (score.false_alarms, score.clean),
        "precision": (score.detected, score.detected + score.false_alarms),
    }
    for number, one in enumerate(score.classes, start=1):
        counts[f"class_{number}/found_share"] = (one.found, one.strips)
        counts[f"class_{number}/recall"] = (one.reported, one.strips)
        counts[f"class_{number}/precision"] = (one.reported, one.reported + one.wrongly)
    return _known({name: wilson_interval(*pair) for name, pair in counts.items()})


def _drawn(values: Mapping[str, Values]) -> dict[str, Interval]:
    """Intervals of all other figures."""
    return _known({name: bootstrap_interval(drawn) for name, drawn in values.items()})


def _known(values: Mapping[str, T | None]) -> dict[str, T]:
    return {name: value for name, value in values.items() if value is not None}


def _or_none(values: Mapping[str, Values], name: str) -> float | None:
    value = float(values[name][0]) if name in values else float("nan")
    return None if np.isnan(value) else value


def _or_zero(values: Mapping[str, Values], name: str) -> float:
    return _or_none(values, name) or 0.0


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
