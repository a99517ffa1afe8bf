"""Clean strips put together from the defect-free stretches of others.

Most sets have too few strips without defects to learn, or to judge, false alarms from; nearly all
defective strips have room beside their defects.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from train.data.strips import DataError, Grey, StripSet

LENGTH_PX = 800
MARGIN_PX = 16
"""Columns beside a labelled one that are left out: labels end early."""


@dataclass(frozen=True, slots=True)
class CleanStretches:
    """Where strips have no label.

    Attributes:
        strips: the strips, suspects left out.
        stretches: (row, first column, columns) of each stretch, none shorter than a piece.
        length_px: columns of a piece.
    """

    strips: StripSet
    stretches: tuple[tuple[int, int, int], ...]
    length_px: int

    @classmethod
    def of(
        cls, strips: StripSet, *, length_px: int = LENGTH_PX, margin_px: int = MARGIN_PX
    ) -> "CleanStretches":
        """Find the stretches of columns without any label, `margin_px` away from labelled ones."""
        stretches = []
        for row, (name, classes) in enumerate(zip(strips.names, strips.classes, strict=True)):
            if name in strips.suspects:
                continue
            width = classes.shape[1]
            marked = np.flatnonzero(classes.any(axis=0))
            # beyond the strip's ends nothing is labelled, so no margin is kept from them
            ends = np.r_[-margin_px - 1, marked, width + margin_px]
            for before, after in pairwise(ends):
                first, columns = before + margin_px + 1, after - before - 1 - 2 * margin_px
                if columns >= length_px:
                    stretches.append((row, int(first), int(columns)))
        return cls(strips, tuple(stretches), length_px)

    def __len__(self) -> int:
        return len(self.stretches)

    @property
    def lowest_px(self) -> int:
        """Rows of the lowest strip: what a strip put together of any of them can have."""
        return min((image.shape[0] for image in self.strips.images), default=0)

    def strip(
        self,
        rng: np.random.Generator,
        width: int,
        *,
        height: int | None = None,
        change: Callable[[Grey], Grey] = lambda piece: piece,
    ) -> Grey:
        """Put a clean strip (height, width) together from random pieces.

        Args:
            rng: source of all randomness.
            width: columns of the strip.
            height: rows; at most those of the lowest strip, which is the default.
            change: made to each piece, such as other light; it keeps the piece's size.

        Raises:
            DataError: there is no stretch, or one is not as high as asked for.
        """
        rows = self.lowest_px if height is None else height
        if not self.stretches or rows > self.lowest_px:
            raise DataError(
                f"{len(self)} defect-free stretches of {self.length_px} columns and at least "
                f"{self.lowest_px} rows can't make a clean strip of {rows} rows"
            )
        pieces = []
        for _ in range(-(-width // self.length_px)):
            row, first, columns = self.stretches[int(rng.integers(len(self)))]
            left = first + int(rng.integers(columns - self.length_px + 1))
            image = self.strips.images[row]
            top = int(rng.integers(image.shape[0] - rows + 1))
            pieces.append(change(image[top : top + rows, left : left + self.length_px]))
        return np.ascontiguousarray(np.concatenate(pieces, axis=1)[:, :width])


def clean_mosaics(strips: StripSet, *, count: int, seed: int) -> StripSet:
    """Put `count` clean strips together, unchanged in light, as wide as most strips are.

    Raises:
        DataError: no strip has a defect-free stretch as long as a piece.
    """
    if not len(strips):
        raise DataError("there are no strips to put clean ones together from")
    widths = Counter(image.shape[1] for image in strips.images)
    width = widths.most_common(1)[0][0]
    stretches = CleanStretches.of(strips, length_px=min(LENGTH_PX, width))
    rng = np.random.default_rng(seed)
    images = tuple(stretches.strip(rng, width) for _ in range(count))
    blank = np.zeros((min(image.shape[0] for image in strips.images), width), np.uint8)
    names = tuple(f"clean-{number:05d}" for number in range(count))
    return StripSet(names, images, (blank,) * count, strips.class_count)
