"""`python -m tests.edge_daemon.failing_network CONFIG`: the daemon with a network that goes wrong.

The first pixel of a strip says how: HANGS, its driver never comes back; LIES, from then on it calls
everything clean. All else is the real one.
"""

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_daemon.clock import SystemClock
from edge_daemon.core.pixels import GreyImage
from edge_daemon.engine import Engine, load_configured
from edge_daemon.inference.segmenter import Answers, Segmenter
from edge_daemon.serving import serve
from edge_daemon.settings import BundleSection

HANGS, LIES = 255, 254


class Failing:
    """Gives another's answers until a strip says otherwise."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._lies = False

    @property
    def stride_px(self) -> int:
        return self._segmenter.stride_px

    @property
    def max_batch(self) -> int:
        return self._segmenter.max_batch

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        signs = {int(strip[0, 0]) for strip in strips}
        if HANGS in signs:
            threading.Event().wait()
        self._lies |= LIES in signs
        answers = self._segmenter.segment(strips)
        if not self._lies:
            return answers
        nothing = np.zeros_like(answers.fetch(slice(None)))
        return Answers(np.zeros_like(answers.counts), lambda part: nothing[part])


def load(section: BundleSection) -> Engine:
    engine = load_configured(section)
    return replace(engine, segmenter=Failing(engine.segmenter))


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), SystemClock(), environ=os.environ, load_engine=load))
