"""The known answer: does the engine that runs now still say what the bundle says it must?"""

import numpy as np

from edge_daemon.errors import EngineError
from edge_daemon.inference.bundle import Bundle, Probability, Strip, read_known_answer
from edge_daemon.inference.segmenter import Segmenter


class KnownAnswerTest:
    """A strip and the probabilities that any engine has to give for it.

    Args:
        strip: (1, 1, 256, 1600) uint8.
        expected: (1, K, h, w) float32, 0..1.
        tolerance: no probability may differ by more.
    """

    def __init__(self, strip: Strip, expected: Probability, *, tolerance: float) -> None:
        self._strip = strip
        self._expected = expected
        self._tolerance = tolerance

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> "KnownAnswerTest":
        """Read a bundle's known answer.

        Raises:
            BundleError: it can't be read.
        """
        strip, expected = read_known_answer(bundle)
        return cls(strip, expected, tolerance=bundle.manifest.known_answer.tolerance)

    def run(self, segmenter: Segmenter) -> float:
        """Put the question to an engine.

        Returns:
            The largest difference from the expected probabilities.

        Raises:
            EngineError: it failed, or its answer is too far off.
        """
        difference = float(np.abs(self._ask(segmenter) - self._expected).max())
        if not difference <= self._tolerance:  # NaN compares as False
            raise EngineError(
                f"known answer: the engine is off by {difference:.4f}, {self._tolerance} is "
                "allowed; the bundle or the runtime has changed, or the hardware is failing"
            )
        return difference

    def _ask(self, segmenter: Segmenter) -> Probability:
        return segmenter.segment([self._strip[0, 0]]).fetch(slice(None))
