"""From a network's answer to a class map, and the pixels that it has in common with the truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass, find_regions, paint
from edge_daemon.core.tiling import Probabilities
from train.data.strips import ClassMap


def stride_of(probability: Probabilities, *, height_px: int, width_px: int) -> int:
    """Pixels per cell of an answer (K, h, w) to a strip of this size.

    Strides are powers of two, and h = ceil(H / stride): the smallest power that is no less than
    H / h is the one.
    """
    rows, columns = probability.shape[-2:]
    most = max(-(-height_px // rows), -(-width_px // columns))
    return int(1 << (most - 1).bit_length())


def predict_classes(
    probability: Probabilities,
    classes: Sequence[DefectClass],
    *,
    height_px: int,
    width_px: int,
) -> ClassMap:
    """Class map (H, W) of one strip's network output (K, h, w), by the daemon's own steps.

    Regions below the minimum area are dropped even at the strip's first and last row: a strip that
    stands alone has no neighbour in which they could go on.
    """
    regions = find_regions(
        probability,
        classes,
        height_px=height_px,
        width_px=width_px,
        stride_px=stride_of(probability, height_px=height_px, width_px=width_px),
    )
    large = [region for region in regions if region.area_px >= region.defect_class.min_area_px]
    return np.asarray(paint(large, height_px=height_px, width_px=width_px), np.uint8)


@dataclass(frozen=True, slots=True)
class PixelCounts:
    """Pixels of each (strip, class) pair; everything else is derived from these.

    Attributes:
        truth: (N, K + 1) labelled pixels; column 0 counts those without any defect.
        predicted: (N, K + 1) predicted pixels.
        common: (N, K + 1) pixels that are both.
    """

    truth: NDArray[np.int64]
    predicted: NDArray[np.int64]
    common: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def class_count(self) -> int:
        """K."""
        return int(self.truth.shape[1]) - 1

    def dice(self) -> NDArray[np.float64]:
        """(N, K) Dice coefficients; 1 where truth and prediction are both empty."""
        either = (self.truth + self.predicted)[:, 1:]
        return np.where(either > 0, 2 * self.common[:, 1:] / np.maximum(either, 1), 1.0)

    def has_class(self) -> NDArray[np.bool_]:
        """(N, K) pairs that are labelled."""
        return self.truth[:, 1:] > 0

    def has_defect(self) -> NDArray[np.bool_]:
        """(N,) strips that are labelled defective."""
        return np.asarray(self.has_class().any(axis=1))

    def is_reported(self) -> NDArray[np.bool_]:
        """(N, K) pairs that are predicted."""
        return self.predicted[:, 1:] > 0

    def joined(self, other: "PixelCounts") -> "PixelCounts":
        """These strips and then the others."""
        return PixelCounts(
            np.concatenate([self.truth, other.truth]),
            np.concatenate([self.predicted, other.predicted]),
            np.concatenate([self.common, other.common]),
        )


def count_pixels(
    truth: Iterable[ClassMap], predicted: Iterable[ClassMap], *, class_count: int
) -> PixelCounts:
    """Count over pairs of class maps (H, W)."""
    rows = []
    for true_map, predicted_map in zip(truth, predicted, strict=True):
        same = true_map[true_map == predicted_map]
        rows.append(
            [
                np.bincount(one.ravel(), minlength=class_count + 1)
                for one in (true_map, predicted_map, same)
            ]
        )
    table = np.array(rows, np.int64).reshape(-1, 3, class_count + 1)
    return PixelCounts(table[:, 0], table[:, 1], table[:, 2])
