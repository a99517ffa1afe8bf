"""What any engine's answer is held against, and what is counted in it."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.tiling import Probabilities
from edge_daemon.errors import EngineError
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.segmenter import Counts

Thresholds: TypeAlias = NDArray[np.float32]
"""(K,): a pixel belongs to a class above its threshold."""


def thresholds_of(bundle: Bundle) -> Thresholds:
    """The thresholds of a bundle's classes, in the order of the output's planes."""
    return np.array([one.threshold for one in bundle.classes], np.float32)


def count_above(answers: Probabilities, thresholds: Thresholds) -> Counts:
    """Cells above each class's threshold, (N, K), of probabilities (N, K, h, w)."""
    above = answers > thresholds[:, None, None]
    return np.asarray(above.sum(axis=(2, 3)), np.int32)


def check_probabilities(answers: Probabilities, shape: tuple[int, ...]) -> None:
    """Hold an engine's answer against what a probability may be.

    A NaN compares as "not above the threshold" and would pass for clean steel.

    Raises:
        EngineError: another shape or type, a value that isn't finite or lies outside 0..1.
    """
    if answers.shape != shape or answers.dtype != np.float32:
        raise EngineError(
            f"the network answered {answers.dtype} {answers.shape} instead of float32 {shape}"
        )
    lowest, highest = float(answers.min()), float(answers.max())
    if not (np.isfinite(lowest) and np.isfinite(highest) and lowest >= 0.0 and highest <= 1.0):
        raise EngineError(f"the network answered {lowest}..{highest}, which is no probability")
