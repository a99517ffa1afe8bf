"""Runs one network until another, for the same bundle, has proved itself beside it.

A plan for the GPU may be ready only minutes after the daemon has begun to inspect. It is then put
beside the network that runs: both look at the same strips, the old one's answers count, and when
the new one has given its known answer and the same masks for long enough, it takes over between two
batches. No frame is lost, none is looked at by a network that nobody has tried.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.cuda.errors import CudaError
from edge_daemon.errors import EngineError
from edge_daemon.inference.answers import Thresholds
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Answers, Segmenter

TRIAL_STRIPS: Final = 64
"""Strips that both look at before the new one may take over."""
MOST_DIFFERING: Final = 0.001
"""Part of the cells that may lie on the other side of a threshold: half precision moves a few."""


@dataclass(frozen=True, slots=True)
class TrialResult:
    """How a new network did beside the old one.

    Attributes:
        taken: whether it has taken over.
        detail: in words for the operator.
    """

    taken: bool
    detail: str


class SwitchingSegmenter:
    """The network that runs, and now and then one that would like to.

    Args:
        first: runs until another has proved itself.
        test: the known answer of the bundle of both.
        thresholds: of the bundle's classes, for comparing masks.
        told: called on the network's thread when a trial is over.
    """

    def __init__(
        self,
        first: Segmenter,
        *,
        test: KnownAnswerTest,
        thresholds: Thresholds,
        told: Callable[[TrialResult], None],
    ) -> None:
        self._current = first
        self._test = test
        self._thresholds = thresholds[:, None, None]
        self._told = told
        self._candidate: Segmenter | None = None
        self._strips = 0
        self._cells = 0
        self._differing = 0

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output, down and across."""
        return self._current.stride_px

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once; may be another once a network has taken over."""
        return self._current.max_batch

    def offer(self, candidate: Segmenter) -> None:
        """Put a network on trial; from any thread, once the one before it is through."""
        self._strips = self._cells = self._differing = 0
        self._candidate = candidate

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        """Look at some strips with the network that runs, and with the one on trial.

        Raises:
            EngineError: the network that runs has failed.
            CudaError: either has failed on the GPU; nothing there can be trusted any more.
        """
        candidate = self._candidate
        if candidate is None or len(strips) > candidate.max_batch:
            return self._current.segment(strips)
        answers = self._current.segment(strips)
        try:
            if not self._strips:
                self._test.run(candidate)
            self._compare(answers, candidate.segment(strips), len(strips))
        except CudaError:
            raise
        except EngineError as error:
            self._end(taken=False, detail=f"it failed beside the one that runs: {error}")
        if self._candidate is not None and self._strips >= TRIAL_STRIPS:
            self._judge(candidate)
        return answers

    def _compare(self, ours: Answers, theirs: Answers, count: int) -> None:
        every = slice(count)
        mask, other = (one.fetch(every) > self._thresholds for one in (ours, theirs))
        self._strips += count
        self._cells += mask.size
        self._differing += int(np.count_nonzero(mask != other))

    def _judge(self, candidate: Segmenter) -> None:
        share = self._differing / self._cells
        seen = f"{share:.4%} of the cells of {self._strips} strips differ"
        if share > MOST_DIFFERING:
            self._end(taken=False, detail=f"{seen}, {MOST_DIFFERING:.1%} are allowed")
            return
        self._current = candidate
        self._end(taken=True, detail=seen)

    def _end(self, *, taken: bool, detail: str) -> None:
        self._candidate = None
        self._told(TrialResult(taken, detail))
