"""`python hanging.py CONFIG`: the daemon with a network whose driver hangs at a white frame."""

import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from edge_daemon.clock import SystemClock
from edge_daemon.core.pixels import GreyImage
from edge_daemon.engine import Engine, load_configured
from edge_daemon.inference.segmenter import Answers, Segmenter
from edge_daemon.serving import serve
from edge_daemon.settings import BundleSection

WHITE = 255


class Hanging:
    """Gives another's answers until it sees white."""

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter

    @property
    def stride_px(self) -> int:
        return self._segmenter.stride_px

    @property
    def max_batch(self) -> int:
        return self._segmenter.max_batch

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        if any(int(strip[0, 0]) == WHITE for strip in strips):
            threading.Event().wait()
        return self._segmenter.segment(strips)


def load(section: BundleSection) -> Engine:
    engine = load_configured(section)
    return replace(engine, segmenter=Hanging(engine.segmenter))


if __name__ == "__main__":
    sys.exit(serve(Path(sys.argv[1]), SystemClock(), environ=os.environ, load_engine=load))
