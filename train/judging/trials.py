"""What each setting of a class would predict on each strip: computed once, then only looked up.

A bundle carries two numbers per class, a threshold and a minimum area. All the settings that are
tried lie on one grid of T thresholds and A areas; per class and strip (N of them), the pixels that
would be predicted, and those of them that are right, follow from the areas of the regions alone.
Every objective, group of strips and price of an alarm reads these tables.

Classes are looked at one by one: where two overlap (rare), the daemon gives a pixel to the more
probable, which is left out of account here, and counted in when a run is judged.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass, find_regions
from edge_daemon.core.tiling import Probabilities
from train.data.strips import ClassMap
from train.judging.counting import stride_of

THRESHOLDS = (
    *(float(t) for t in np.round(np.arange(0.10, 0.91, 0.05), 2)),
    *(0.93, 0.95, 0.97, 0.98, 0.99),
)
MIN_AREAS_PX = (
    *(0, 100, 200, 300, 450, 600, 800, 1000, 1300, 1600, 2000, 2500, 3000, 4000),
    *(5500, 7500, 10_000),
)
TELL_EVERY = 50


@dataclass(frozen=True, slots=True)
class Trials:
    """Pixels of every class at every setting on every strip.

    Attributes:
        truth: (K, N) labelled pixels.
        predicted: (K, T, A, N) predicted pixels.
        common: (K, T, A, N) pixels that are both.
    """

    truth: NDArray[np.int32]
    predicted: NDArray[np.int32]
    common: NDArray[np.int32]

    def dice(self) -> NDArray[np.float64]:
        """(K, T, A, N) Dice coefficients; 1 where truth and prediction are both empty."""
        either = self.predicted + self.truth[:, None, None]
        return np.where(either > 0, 2 * self.common / np.maximum(either, 1), 1.0)

    @classmethod
    def joined(cls, parts: Sequence["Trials"]) -> "Trials":
        """The strips of all parts, one after the other."""
        return cls(
            np.concatenate([part.truth for part in parts], axis=-1),
            np.concatenate([part.predicted for part in parts], axis=-1),
            np.concatenate([part.common for part in parts], axis=-1),
        )


def try_settings(
    probabilities: Sequence[Probabilities],
    truth: Sequence[ClassMap],
    *,
    class_count: int,
    tell: Callable[[str], None],
) -> Trials:
    """Fill the tables.

    Args:
        probabilities: (K, h, w) of each of N strips.
        truth: (H, W) class maps of the same strips.
        class_count: K.
        tell: gets a line now and then.
    """
    shape = (class_count, len(THRESHOLDS), len(MIN_AREAS_PX), len(truth))
    predicted, common = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    labelled = np.zeros((class_count, len(truth)), np.int32)
    for n, (probability, class_map) in enumerate(zip(probabilities, truth, strict=True)):
        if n % TELL_EVERY == 0:
            tell(f"settings tried on {n} of {len(truth)} strips")
        for k in range(class_count):
            mask = class_map == k + 1
            labelled[k, n] = mask.sum()
            for t, threshold in enumerate(THRESHOLDS):
                areas, right = _regions(probability[k], mask, threshold)
                if not areas.size:
                    break  # a higher threshold leaves nothing either
                keeps = areas >= np.array(MIN_AREAS_PX)[:, None]  # (A, regions)
                predicted[k, t, :, n] = keeps @ areas
                common[k, t, :, n] = keeps @ right
    return Trials(labelled, predicted, common)


def _regions(
    plane: NDArray[np.float32], mask: NDArray[np.bool_], threshold: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Area of each region of one class above a threshold, and its pixels in the mask (H, W)."""
    height, width = mask.shape
    plain = DefectClass(1, "any", threshold, min_area_px=0, severity="minor")
    stride = stride_of(plane[None], height_px=height, width_px=width)
    regions = find_regions(plane[None], [plain], height_px=height, width_px=width, stride_px=stride)
    right = []
    for region in regions:
        x, y, w, h = region.bbox_xywh
        right.append(np.count_nonzero(mask[y : y + h, x : x + w] & region.pixels))
    return np.array([region.area_px for region in regions], np.int32), np.array(right, np.int32)
