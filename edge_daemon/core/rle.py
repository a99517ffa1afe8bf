"""Run-length code of masks as Kaggle's Severstal set writes it.

A mask of H x W pixels is read **column by column** (top to bottom, then the next column), pixels
are numbered from 1, and the text holds `start length` pairs: `"1 3 10 5"` is pixels 1-3 and 10-14.
An empty mask is the empty text. Written here, runs ascend and never touch; read, they may touch,
but they may neither overlap nor go backwards.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Mask: TypeAlias = NDArray[np.bool_]
"""(H, W), true where the defect is."""


_LARGEST = 2**62
"""Start + length of two smaller numbers still fits 64 bits."""


class RunLengthError(ValueError):
    """A text is no run-length code of a mask of the given size."""


def encode(mask: Mask) -> str:
    """Write a mask (H, W) as run-length code; an empty mask gives the empty text."""
    column_major = np.zeros(mask.size + 2, np.int8)
    column_major[1:-1] = mask.ravel(order="F")
    edges = np.flatnonzero(np.diff(column_major)) + 1
    edges[1::2] -= edges[::2]
    return " ".join(map(str, edges.tolist()))


def decode(text: str, *, height: int, width: int) -> Mask:
    """Read run-length code into a mask (height, width).

    Raises:
        RunLengthError: the text isn't pairs of whole numbers, or a run starts before pixel 1, is
            empty,
            ends past the last pixel, or begins before the run in front of it has ended.
    """
    starts, lengths = _runs(text)
    ends = starts + lengths
    faults = (
        (starts < 1, "starts before pixel 1"),
        (lengths < 1, "is empty or has a negative length"),
        (ends - 1 > height * width, f"ends past the last pixel, {height * width}"),
        (np.r_[False, starts[1:] < ends[:-1]], "overlaps or precedes the run before it"),
    )
    for is_faulty, what in faults:
        if is_faulty.any():
            run = int(np.argmax(is_faulty))
            raise RunLengthError(f"run {run + 1} ({starts[run]} {lengths[run]}) {what}")
    steps = np.zeros(height * width + 1, np.int8)
    np.add.at(steps, starts - 1, 1)
    np.add.at(steps, ends - 1, -1)
    return np.cumsum(steps[:-1], dtype=np.int8).astype(bool).reshape((height, width), order="F")


def _runs(text: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    words = text.split()
    if len(words) % 2:
        raise RunLengthError(f"{len(words)} numbers: expected pairs of start and length")
    try:
        numbers = np.array([int(word) for word in words], np.int64)
    except (ValueError, OverflowError) as error:
        raise RunLengthError(f"not whole numbers: {text[:40]!r}") from error
    if numbers.size and (numbers.max() >= _LARGEST or numbers.min() <= -_LARGEST):
        raise RunLengthError(f"numbers far beyond any mask: {text[:40]!r}")
    return numbers[::2], numbers[1::2]
