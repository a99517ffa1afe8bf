"""Precision against recall at every threshold, and the figures of each strip: what a report draws.

Pixel curves are measured on the network's own grid: a cell counts for the part of it that is
labelled. Image curves rank whole strips by the highest probability anywhere on them. Neither knows
of minimum areas.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.tiling import Probabilities
from train.data.strips import ClassMap
from train.judging.counting import PixelCounts, stride_of

LEVELS = 1000
"""Steps of probability that are told apart."""
POINTS_EVERY = 10
"""Of those, every so many is kept: 101 points, at thresholds 0.00, 0.01, ... 1.00."""

Histogram = NDArray[np.float64]
"""(LEVELS + 1,): how much lies at each level of probability."""


@dataclass(frozen=True, slots=True)
class PrCurve:
    """What becomes of precision and recall when the threshold rises.

    Attributes:
        name: of the class; "any" for any defect.
        threshold: at and above it a pixel or strip is reported; rises from 0 to 1.
        precision: of what is reported, the part that is right; 1 where nothing is.
        recall: of what is there, the part that is reported.
        average_precision: area under the curve, by steps; None where nothing is there.
    """

    name: str
    threshold: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    average_precision: float | None


@dataclass(frozen=True, slots=True)
class StripFigures:
    """One strip; tuples are per class.

    Attributes:
        name: of its image.
        truth: labelled pixels.
        predicted: predicted pixels.
        common: pixels that are both.
        dice: Dice coefficients; 1 where truth and prediction are both empty.
        peaks: highest probability anywhere on the strip.
    """

    name: str
    truth: tuple[int, ...]
    predicted: tuple[int, ...]
    common: tuple[int, ...]
    dice: tuple[float, ...]
    peaks: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Curves:
    """What a report draws of a set of strips.

    Attributes:
        pixel: one per class.
        image: one per class, then one for any defect.
        strips: in the set's order, with the run's own thresholds.
        cross_fitted: the same with thresholds fitted on other strips; empty for a set on which
            nothing was fitted.
    """

    pixel: tuple[PrCurve, ...]
    image: tuple[PrCurve, ...]
    strips: tuple[StripFigures, ...]
    cross_fitted: tuple[StripFigures, ...]


def pixel_curves(
    probabilities: Sequence[Probabilities], truth: Sequence[ClassMap], *, names: Sequence[str]
) -> tuple[PrCurve, ...]:
    """A curve per class over all pixels of all strips.

    Args:
        probabilities: (K, h, w) of each strip.
        truth: (H, W) class maps of the same strips.
        names: K of them.
    """
    right = np.zeros((len(names), LEVELS + 1))
    wrong = np.zeros((len(names), LEVELS + 1))
    for probability, class_map in zip(probabilities, truth, strict=True):
        for k in range(len(names)):
            labelled = _labelled_part(class_map == k + 1, probability).ravel()
            levels = _levels(probability[k]).ravel()
            right[k] += np.bincount(levels, labelled, minlength=LEVELS + 1)
            wrong[k] += np.bincount(levels, 1 - labelled, minlength=LEVELS + 1)
    return tuple(_curve(name, right[k], wrong[k]) for k, name in enumerate(names))


def image_curves(
    peaks: NDArray[np.float64], has_class: NDArray[np.bool_], *, names: Sequence[str]
) -> tuple[PrCurve, ...]:
    """A curve per class over whole strips, and one for any defect.

    Args:
        peaks: (N, K) highest probabilities.
        has_class: (N, K) labels.
        names: K of them.
    """
    ranked = [*peaks.T, peaks.max(axis=1, initial=0.0)]
    labels = [*has_class.T, has_class.any(axis=1)]
    curves = []
    for name, peak, has in zip([*names, "any"], ranked, labels, strict=True):
        levels = _levels(peak)
        right = np.bincount(levels[has], minlength=LEVELS + 1)
        curves.append(_curve(name, right, np.bincount(levels[~has], minlength=LEVELS + 1)))
    return tuple(curves)


def strip_figures(
    names: Sequence[str], counts: PixelCounts, peaks: NDArray[np.float64]
) -> tuple[StripFigures, ...]:
    """The figures of each strip by itself."""
    dice = counts.dice()
    return tuple(
        StripFigures(
            name=name,
            truth=tuple(counts.truth[n, 1:].tolist()),
            predicted=tuple(counts.predicted[n, 1:].tolist()),
            common=tuple(counts.common[n, 1:].tolist()),
            dice=tuple(np.round(dice[n], 4).tolist()),
            peaks=tuple(np.round(peaks[n], 4).tolist()),
        )
        for n, name in enumerate(names)
    )


def _levels(probability: NDArray[np.float32] | NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(probability * LEVELS + 1e-4, np.int64)  # 0.3 * 1000 is 299.99...


def _labelled_part(mask: NDArray[np.bool_], probability: Probabilities) -> NDArray[np.float64]:
    """Part (h, w) of each cell that is labelled; a cell that juts out counts as a whole one."""
    height, width = mask.shape
    stride = stride_of(probability, height_px=height, width_px=width)
    grid = (probability.shape[1] * stride, probability.shape[2] * stride)
    padded = cv2.copyMakeBorder(
        mask.view(np.uint8),
        0,
        grid[0] - height,
        0,
        grid[1] - width,
        cv2.BORDER_REPLICATE,
    )
    cells = padded.reshape(grid[0] // stride, stride, grid[1] // stride, stride)
    return np.asarray(cells.mean(axis=(1, 3)), np.float64)


def _curve(
    name: str, right: Histogram | NDArray[np.int64], wrong: Histogram | NDArray[np.int64]
) -> PrCurve:
    """From what is right and wrong at each level to what is so at and above it."""
    hits = np.cumsum(right[::-1])[::-1]
    reported = hits + np.cumsum(wrong[::-1])[::-1]
    precision = np.where(reported > 0, hits / np.maximum(reported, 1e-9), 1.0)
    recall = hits / max(float(hits[0]), 1e-9)
    steps = -np.diff(recall, append=0.0)
    kept = slice(None, None, POINTS_EVERY)
    return PrCurve(
        name=name,
        threshold=tuple(np.round(np.arange(LEVELS + 1)[kept] / LEVELS, 3).tolist()),
        precision=tuple(np.round(precision[kept], 4).tolist()),
        recall=tuple(np.round(recall[kept], 4).tolist()),
        average_precision=round(float(steps @ precision), 4) if hits[0] > 0 else None,
    )
