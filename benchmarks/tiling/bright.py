"""A network that costs next to nothing and sees what is bright, and frames to show to it.

Both ways call the very same one, so what differs is what is done around it.
"""

import time
from collections.abc import Sequence
from typing import Final

import numpy as np

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.inference.answers import count_above
from edge_daemon.inference.segmenter import Answers

STRIDE_PX: Final = 4
BRIGHT: Final = 200
CERTAIN: Final = np.float32(0.9)
CLASSES: Final = tuple(
    DefectClass(number, name, threshold=0.5, min_area_px=0, severity="major")
    for number, name in enumerate(("pitting", "inclusion", "scratch", "patch"), start=1)
)
"""As many planes as the shipped networks have; this one only ever sees the last class."""


class BrightNetwork:
    """Takes strips as the shipped networks do and answers with cells above a grey value.

    Attributes:
        strips: that it was asked for.
        seconds: that it took for them.
    """

    def __init__(self) -> None:
        self.strips = 0
        self.seconds = 0.0

    def __call__(self, strips: Strips) -> Probabilities:
        """(N, 1, 256, 1600) uint8 -> (N, 4, 64, 400) float32."""
        began = time.perf_counter()
        cells = strips[:, 0, STRIDE_PX // 2 :: STRIDE_PX, STRIDE_PX // 2 :: STRIDE_PX] > BRIGHT
        answers = np.zeros((len(strips), len(CLASSES), *cells.shape[1:]), np.float32)
        answers[:, -1] = cells * CERTAIN
        self.strips += len(strips)
        self.seconds += time.perf_counter() - began
        return answers


class BrightSegmenter:
    """The same network behind the daemon's seam, one strip at a time as on a processor.

    Counting cells is part of what is done around the network, and is not timed as the network's.
    """

    def __init__(self, network: BrightNetwork) -> None:
        self._network = network
        self._thresholds = np.array([one.threshold for one in CLASSES], np.float32)

    @property
    def stride_px(self) -> int:
        """Pixels per cell of the output."""
        return STRIDE_PX

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once."""
        return 1

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        """Look at one strip."""
        planes = self._network(np.ascontiguousarray(strips[0])[None, None])
        return Answers(count_above(planes, self._thresholds), planes.__getitem__)


def clean_steel(height_px: int, width_px: int) -> GreyImage:
    """A frame (H, W) with nothing on it."""
    return np.random.default_rng(3).integers(90, 111, (height_px, width_px), np.uint8)


def draw(image: GreyImage, *, top: int, left: int, height_px: int, width_px: int) -> GreyImage:
    """The frame with one bright rectangle."""
    marked = image.copy()
    marked[top : top + height_px, left : left + width_px] = 255
    return marked
