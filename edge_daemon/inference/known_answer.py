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
        """Put the question to an engine: one strip, and as many as it takes at once.

        For other sizes of a batch engines run other code, so the one says little of the other. On a
        CPU, which takes one strip at a time, they are the same.

        Returns:
            The largest difference from the expected probabilities.

        Raises:
            EngineError: it failed, or one of its answers is too far off.
        """
        return max(self._ask(segmenter, strips) for strips in sorted({1, segmenter.max_batch}))

    def _ask(self, segmenter: Segmenter, strips: int) -> float:
        answers = segmenter.segment([self._strip[0, 0]] * strips).fetch(slice(None))
        if answers.shape != (strips, *self._expected.shape[1:]):
            raise EngineError(f"known answer: {answers.shape} came for {strips} strips")
        difference = float(np.abs(answers - self._expected).max())
        if not difference <= self._tolerance:  # NaN compares as False
            raise EngineError(
                f"known answer: the engine is off by {difference:.4f} in a batch of {strips}, "
                f"{self._tolerance} is allowed; the bundle or the runtime has changed, or the "
                "hardware is failing"
            )
        return difference
