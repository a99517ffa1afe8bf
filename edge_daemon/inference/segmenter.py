"""The seam between the pipeline and whatever runs the network.

Most strips are clean, and of a clean one nothing has to leave the device but a count of zero. So an
answer comes in two steps: counts at once, probabilities only of the strips that are asked for.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities

Counts: TypeAlias = NDArray[np.int32]
"""(N, K): cells of each strip that lie above the threshold of each class."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What the network says of some strips; good until its segmenter is asked again.

    Attributes:
        counts: (N, K) int32, cells above each class's threshold.
        fetch: gives the probabilities of a range of strips, (n, K, h, w) float32, finite, 0..1, as
            an array of the caller's own.
    """

    counts: Counts
    fetch: Callable[[slice], Probabilities]


class Segmenter(Protocol):
    """Runs a network over strips. Used by one thread at a time."""

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        ...

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once."""
        ...

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        """Look at some strips.

        Args:
            strips: 1 to `max_batch` of (256, 1600) uint8; each is read once, none is kept.

        Raises:
            EngineError: the network failed, or its answer is no probability.
        """
        ...
