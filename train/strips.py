"""Reading a folder of labelled strips, and finding everything that is wrong with it at once.

The folder is laid out as Kaggle's "Severstal: Steel Defect Detection": `images/*.jpg` (1600 x 256,
grey), `train.csv` with one mask per row (`ImageId,ClassId,EncodedPixels` or
`ImageId_ClassId,EncodedPixels`), and optionally `suspect_clean.txt` with one image name per line
(`#` starts a comment). A strip without rows is free of defects.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core import rle
from edge_daemon.errors import ConfigurationError

HEIGHT = 256
WIDTH = 1600
CLASSES = 4
JPEG_ROUNDING = 2

Grey: TypeAlias = NDArray[np.uint8]
"""(H, W) or (N, H, W) grey values."""
ClassMap: TypeAlias = NDArray[np.uint8]
"""(H, W) or (N, H, W): 0 where there is no defect, else the class number."""


class DataError(ConfigurationError):
    """The training data can't be used as they are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with the data.

    Attributes:
        where: image name, or file name and line.
        what: what is wrong, and what was expected.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class StripSet:
    """Strips in memory, sorted by name.

    Attributes:
        names: N image names.
        images: (N, H, W) grey values.
        classes: (N, H, W) class of each pixel, 0 for none.
        suspects: names of strips that are labelled clean and are not: never to be trained or
            measured on.
    """

    names: tuple[str, ...]
    images: Grey
    classes: ClassMap
    suspects: frozenset[str] = frozenset()

    def __len__(self) -> int:
        return len(self.names)

    def presence(self) -> NDArray[np.bool_]:
        """(N, 4): which of the classes 1..4 occur on each strip."""
        return np.stack(
            [np.bincount(one.ravel(), minlength=CLASSES + 1)[1:] > 0 for one in self.classes]
        )

    def named(self, names: Sequence[str]) -> "StripSet":
        """The strips with these names, in that order; the pixels are copied.

        Raises:
            DataError: a name isn't in the set.
        """
        rows = {name: row for row, name in enumerate(self.names)}
        missing = [name for name in names if name not in rows]
        if missing:
            raise DataError(f"{len(missing)} strips are not in the data, first {missing[0]}")
        chosen = np.array([rows[name] for name in names], np.int64)
        return StripSet(tuple(names), self.images[chosen], self.classes[chosen], self.suspects)


@dataclass(slots=True)
class _Reading:
    root: Path
    faults: list[Fault] = field(default_factory=list)

    def note(self, where: str, what: str) -> None:
        self.faults.append(Fault(where, what))


def read_strips(root: Path) -> tuple[StripSet, list[Fault]]:
    """Read a whole folder; what is faulty is left out of the set and named in the list.

    Raises:
        DataError: the folder has no `images/` or no readable `train.csv`: nothing can be read at
            all.
    """
    reading = _Reading(root)
    paths = {path.name: path for path in sorted((root / "images").glob("*.jpg"))}
    if not paths:
        raise DataError(f"{root / 'images'}: no *.jpg; expected a folder laid out as Severstal's")
    masks = _read_masks(reading, known=frozenset(paths))
    names, images = [], []
    for name, path in paths.items():
        image = _read_image(reading, path)
        if image is not None:
            names.append(name)
            images.append(image)
    pixels = np.stack(images) if images else np.zeros((0, HEIGHT, WIDTH), np.uint8)
    classes = np.zeros(pixels.shape, np.uint8)
    for row, name in enumerate(names):
        classes[row] = masks.get(name, 0)
    suspects = frozenset(_read_suspects(reading, known=frozenset(paths)))
    return StripSet(tuple(names), pixels, classes, suspects), reading.faults


def load_strips(root: Path) -> StripSet:
    """Read a folder that has to be free of faults.

    Raises:
        DataError: with the first few faults; `python -m train check` lists all of them.
    """
    strips, faults = read_strips(root)
    if faults:
        first = "; ".join(f"{fault.where}: {fault.what}" for fault in faults[:3])
        raise DataError(f"{root}: {len(faults)} faults ({first}); see `python -m train check`")
    return strips


def _read_image(reading: _Reading, path: Path) -> Grey | None:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        reading.note(path.name, "can't be decoded")
        return None
    if image.shape[:2] != (HEIGHT, WIDTH) or image.dtype != np.uint8:
        found = f"{image.shape[1]} x {image.shape[0]} {image.dtype}"
        reading.note(path.name, f"is {found}, expected {WIDTH} x {HEIGHT} uint8")
        return None
    if image.ndim == 3:  # noqa: PLR2004 - (H, W, channels): grey is stored as equal channels
        blue, green, red = cv2.split(image[:, :, :3])
        if max(cv2.absdiff(blue, green).max(), cv2.absdiff(blue, red).max()) > JPEG_ROUNDING:
            reading.note(path.name, "is coloured, expected grey")
            return None
        image = blue
    return np.asarray(image, np.uint8)


def _read_masks(reading: _Reading, *, known: frozenset[str]) -> dict[str, ClassMap]:
    masks: dict[str, ClassMap] = {}
    seen: set[tuple[str, int]] = set()
    for where, name, class_text, text in _csv_rows(reading):
        if not text or text.lower() == "nan":
            continue
        if name not in known:
            reading.note(where, f"image {name!r} is not in images/")
            continue
        if class_text not in {str(number) for number in range(1, CLASSES + 1)}:
            reading.note(where, f"class {class_text!r} is not 1..{CLASSES}")
            continue
        class_id = int(class_text)
        if (name, class_id) in seen:
            reading.note(where, f"a second row for {name}, class {class_id}")
            continue
        seen.add((name, class_id))
        try:
            mask = rle.decode(text, height=HEIGHT, width=WIDTH)
        except rle.RunLengthError as error:
            reading.note(where, f"{name}, class {class_id}: {error}")
            continue
        class_map = masks.setdefault(name, np.zeros((HEIGHT, WIDTH), np.uint8))
        if class_map[mask].any():
            reading.note(where, f"{name}: class {class_id} overlaps another class")
        class_map[mask] = class_id
    return masks


def _csv_rows(reading: _Reading) -> Iterator[tuple[str, str, str, str]]:
    path = reading.root / "train.csv"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error
    rows = csv.reader(lines)
    header = next(rows, [])
    if header not in (
        ["ImageId", "ClassId", "EncodedPixels"],
        ["ImageId_ClassId", "EncodedPixels"],
    ):
        raise DataError(f"{path}: header {header}, expected ImageId,ClassId,EncodedPixels")
    for line, row in enumerate(rows, start=2):
        where = f"{path.name}:{line}"
        if len(row) != len(header):
            reading.note(where, f"has {len(row)} fields, expected {len(header)}")
            continue
        *identity, text = row
        name, _, class_text = "_".join(identity).rpartition("_")
        yield where, name, class_text, text.strip()


def _read_suspects(reading: _Reading, *, known: frozenset[str]) -> Iterator[str]:
    path = reading.root / "suspect_clean.txt"
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        name = line.partition("#")[0].strip()
        if name and name not in known:
            reading.note(path.name, f"image {name!r} is not in images/")
        elif name:
            yield name
