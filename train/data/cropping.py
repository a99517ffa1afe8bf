"""Where a crop is cut from a strip, and cutting it."""

import numpy as np

from train.data.strips import ClassMap, Grey


def place_on_defect(
    classes: ClassMap, class_id: int, *, height: int, width: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Top and left of a crop that holds a random pixel of a class, somewhere in it.

    The column is picked first, so that a broad defect is met evenly along its length.
    """
    columns = np.flatnonzero((classes == class_id).any(axis=0))
    column = int(rng.choice(columns))
    left = _begin(column, classes.shape[1], size=width, rng=rng)
    if height >= classes.shape[0]:
        return 0, left
    rows = np.flatnonzero(classes[:, column] == class_id)
    return _begin(int(rng.choice(rows)), classes.shape[0], size=height, rng=rng), left


def place_anywhere(
    classes: ClassMap, *, height: int, width: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Top and left of a crop anywhere on the strip."""
    rows, columns = classes.shape
    return (
        int(rng.integers(max(0, rows - height) + 1)),
        int(rng.integers(max(0, columns - width) + 1)),
    )


def cut(
    grey: Grey, classes: ClassMap, *, top: int, left: int, height: int, width: int
) -> tuple[Grey, ClassMap]:
    """Cut a crop (height, width) with its class map.

    Where the strip ends before the crop does, its last row or column is repeated, without label:
    as the network meets it when a strip is brought to the size that it takes.
    """
    grey = grey[top : top + height, left : left + width]
    classes = classes[top : top + height, left : left + width]
    below, beside = height - grey.shape[0], width - grey.shape[1]
    if below or beside:
        grey = np.pad(grey, ((0, below), (0, beside)), mode="edge")
        classes = np.pad(classes, ((0, below), (0, beside)))
    return grey, classes


def _begin(at: int, length: int, *, size: int, rng: np.random.Generator) -> int:
    """Where a window of a size begins that holds a place, within a length if it fits."""
    last = max(0, length - size)
    return int(np.clip(at - rng.integers(size), 0, last))
