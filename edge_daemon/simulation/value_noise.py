"""Random fields that are functions of the absolute row.

Value noise on a lattice whose rows are drawn from `(key, layer, group of lattice rows)`: any row
can be had without those before it, and it is the same in whichever window it lies.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # (H, W), zero mean, about unit variance

GROUP_ROWS = 64  # rows whose lattice is drawn at one go


@dataclass(frozen=True, slots=True)
class Window:
    """The rows and columns to render.

    Attributes:
        first_row: absolute row, 0 at the head of the coil.
        height: rows.
        width: columns.
    """

    first_row: int
    height: int
    width: int

    @property
    def rows(self) -> NDArray[np.float64]:
        """Absolute row numbers as a column, (H, 1); float32 would not tell far rows apart."""
        return np.arange(self.first_row, self.first_row + self.height, dtype=np.float64)[:, None]

    @property
    def columns(self) -> NDArray[np.float32]:
        """Column numbers as a row, (1, W)."""
        return np.arange(self.width, dtype=np.float32)[None, :]


def value_noise(
    key: int, layer: int, *, window: Window, pitch_rows: float, pitch_columns: float
) -> Field:
    """Smooth noise with features of about `pitch_rows` by `pitch_columns` pixels.

    Args:
        key: seed of the steel.
        layer: which of its fields; different layers are independent.
        window: what to render.
        pitch_rows: lattice spacing along, pixels, at least 1.
        pitch_columns: lattice spacing across, pixels, at least 1.

    Returns:
        Field (H, W). The same absolute row has the same values in any window, to rounding.
    """
    position = (window.first_row + np.arange(window.height, dtype=np.float64)) / pitch_rows
    below = np.floor(position).astype(np.int64)
    nodes = _lattice_rows(
        key,
        layer,
        first=int(below[0]),
        count=int(below[-1] - below[0]) + 2,
        columns=int(np.ceil(window.width / pitch_columns)) + 2,
        group=max(2, int(GROUP_ROWS / pitch_rows)),
    )
    index = below - below[0]
    if pitch_rows > 1:
        t = (position - below).astype(np.float32)[:, None]
        t = t * t * (3 - 2 * t)
        nodes = nodes[index] * (1 - t) + nodes[index + 1] * t
    else:
        nodes = nodes[index]
    if pitch_columns > 1:
        # rows first, columns last: the lattice is narrower than the picture
        nodes = cv2.resize(nodes, (window.width, window.height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(nodes[:, : window.width], np.float32)


def _lattice_rows(
    key: int, layer: int, *, first: int, count: int, columns: int, group: int
) -> Field:
    """Lattice rows `first` to `first + count`, whole groups drawn at a time."""
    groups = range(first // group, (first + count - 1) // group + 1)
    drawn = [
        np.random.default_rng((key, layer, g)).standard_normal((group, columns), np.float32)
        for g in groups
    ]
    start = first - groups[0] * group
    return np.concatenate(drawn)[start : start + count]
