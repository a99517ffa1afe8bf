"""Labelled strips in memory, and what can be wrong with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge_daemon.errors import ConfigurationError

Grey: TypeAlias = NDArray[np.uint8]
"""(H, W) grey values; in a batch (N, 1, H, W)."""
ClassMap: TypeAlias = NDArray[np.uint8]
"""(H, W), in a batch (N, H, W): 0 where there is no defect, else the class number."""
Severity: TypeAlias = Literal["error", "warning"]


class DataError(ConfigurationError):
    """The training data can't be used as they are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the data.

    Attributes:
        where: image name, or file name and line.
        what: what is wrong, and what was expected.
        severity: an error keeps the data from being trained on, a warning doesn't.
    """

    where: str
    what: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class StripSet:
    """Strips in memory, sorted by name. Their sizes may differ.

    The arrays are shared between sets and not to be written to: neither `named` nor a split costs
    memory, and all clean strips of a size have one and the same class map.

    Attributes:
        names: N image names.
        images: N arrays (H, W) of grey values.
        classes: N arrays (H, W), the class of each pixel, 0 for none.
        class_count: K; classes are 1..K, whether they occur or not.
        suspects: names of strips that are labelled clean and are not: never to be trained or
            measured on.
    """

    names: tuple[str, ...]
    images: tuple[Grey, ...]
    classes: tuple[ClassMap, ...]
    class_count: int
    suspects: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.names)

    def presence(self) -> NDArray[np.bool_]:
        """(N, K): which of the classes 1..K occur on each strip."""
        return self.areas_px() > 0

    def areas_px(self) -> NDArray[np.int64]:
        """(N, K): how many pixels of each class 1..K each strip has."""
        areas = np.zeros((len(self), self.class_count), np.int64)
        for row, one in enumerate(self.classes):
            if one.any():
                areas[row] = np.bincount(one.ravel(), minlength=self.class_count + 1)[1:]
        return areas

    def sizes_hw(self) -> frozenset[tuple[int, int]]:
        """The heights and widths that occur."""
        return frozenset((image.shape[0], image.shape[1]) for image in self.images)

    def named(self, names: Sequence[str]) -> "StripSet":
        """The strips with these names, in that order.

        Raises:
            DataError: a name isn't in the set.
        """
        rows = {name: row for row, name in enumerate(self.names)}
        missing = [name for name in names if name not in rows]
        if missing:
            raise DataError(
                f"{len(missing)} strips are not in the data, first {missing[0]}; give data.root as "
                "it was when the split was made, or start a new run"
            )
        return self.rows([rows[name] for name in names])

    def rows(self, rows: Sequence[int]) -> "StripSet":
        """The strips with these row numbers, in that order."""
        return StripSet(
            names=tuple(self.names[row] for row in rows),
            images=tuple(self.images[row] for row in rows),
            classes=tuple(self.classes[row] for row in rows),
            class_count=self.class_count,
            suspects=self.suspects,
        )
