"""The seam between the pipeline and whatever runs the network."""

from typing import Protocol

from edge_daemon.core.tiling import Probabilities, Strips


class Segmenter(Protocol):
    """Runs a network over strips."""

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        ...

    def segment(self, strips: Strips) -> Probabilities:
        """Probability of each class at each cell.

        Args:
            strips: (N, 1, 256, 1600) uint8, N of 1 or more.

        Returns:
            (N, K, 256 / stride, 1600 / stride) float32, finite, 0..1.

        Raises:
            EngineError: the network failed, or its answer is no probability.
        """
        ...
