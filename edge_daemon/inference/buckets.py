"""Batches of a few fixed sizes: what is prepared once for each of them is quick to run.

A batch between two sizes takes the larger one. The places that it doesn't fill still hold strips of
an earlier batch; the network looks at them too, and nobody reads what it says.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX, Strips
from edge_daemon.errors import EngineError

BUCKETS = (1, 2, 4, 8)
"""Strips per batch."""
STRIP_SHAPE = (STRIP_HEIGHT_PX, STRIP_WIDTH_PX)


def bucket_for(count: int, buckets: Sequence[int]) -> int:
    """The smallest size that holds so many strips.

    Raises:
        EngineError: there is none, or no strip at all.
    """
    fitting = [size for size in buckets if size >= count > 0]
    if not fitting:
        most = max(buckets, default=0)
        raise EngineError(f"{count} strips were given; up to {most} are taken at once")
    return min(fitting)


def fill(places: Strips, strips: Sequence[GreyImage]) -> None:
    """Copy strips to the first places of a batch, each once.

    Args:
        places: (N, 1, 256, 1600) uint8.
        strips: at most N of (256, 1600) uint8.

    Raises:
        EngineError: a strip is anything else; NumPy would stretch a single row over all of them.
    """
    for place, strip in zip(places, strips, strict=False):
        if strip.shape != STRIP_SHAPE or strip.dtype != np.uint8:
            raise EngineError(
                f"a strip is {strip.dtype} {strip.shape}, the network takes uint8 {STRIP_SHAPE}"
            )
        place[0] = strip


def check_valid(valid: NDArray[np.int32], cells: int) -> None:
    """Hold the counts of good probabilities against how many there are.

    Args:
        valid: (N,) cells of each strip whose probability lies in 0..1.
        cells: of a strip, over all classes.

    Raises:
        EngineError: a strip has others.
    """
    if (valid == cells).all():
        return
    strip = int(np.argmax(valid != cells))
    raise EngineError(
        f"of the {cells} answers for strip {strip + 1} of {len(valid)} only {valid[strip]} are a "
        "probability: the weights or the hardware are failing"
    )


def span(which: slice, count: int) -> tuple[int, int]:
    """First strip and the one after the last of a range without gaps.

    Raises:
        ValueError: it has gaps.
    """
    start, stop, step = which.indices(count)
    if step != 1:
        raise ValueError(f"{which} has gaps; ask for each range by itself")
    return start, max(start, stop)
