"""Masks of a folder laid out as Kaggle's "Severstal: Steel Defect Detection".

`train.csv` is UTF-8 with one mask per row and one of two headers:

    ImageId,ClassId,EncodedPixels        one row per (image, class) that has a mask
    ImageId_ClassId,EncodedPixels        the same, and empty rows for what is not there

Pixels are run lengths (`edge_daemon.core.rle`) in the image's own height and width. An image
without pixels in any row is free of defects.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_daemon.core import rle
from train.data.labels import Labels
from train.data.strips import Fault, Grey, Severity

TABLE = "train.csv"
HEADERS = (["ImageId", "ClassId", "EncodedPixels"], ["ImageId_ClassId", "EncodedPixels"])
_RUNS = re.compile(r"-?[0-9]{1,18}(\s+-?[0-9]{1,18})*", re.ASCII)
"""Numbers that 64 bits hold, start and length added; `int` alone takes `1_0` as well."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        where: file name and line.
        name: of the image.
        class_text: what stands for the class.
        runs: run lengths; empty for "this class is not there".
    """

    where: str
    name: str
    class_text: str
    runs: str


def read_labels(root: Path, images: Mapping[str, Grey | None], *, class_count: int) -> Labels:
    """Read `train.csv` for these images; None stands for one that couldn't be decoded."""
    labels = Labels()
    lines = _lines(root / TABLE, labels)
    if not lines:
        labels.faulty.update(images)
        return labels
    seen: set[tuple[str, str]] = set()
    lists_clean = False
    for row in _rows(lines, labels):
        what = _misplaced(row, images, seen, class_count=class_count)
        if what:
            # a whole set's table beside a part of its images: missing clean ones are no loss
            is_harmless = row.name not in images and not row.runs
            severity: Severity = "warning" if is_harmless else "error"
            labels.note(row.where, what, image=row.name, severity=severity)
        elif row.runs:
            _draw_mask(row, images[row.name], labels)
        else:
            lists_clean = True
        seen.add((row.name, row.class_text))
    if lists_clean:
        _note_unlisted(images, {name for name, _ in seen}, labels)
    return labels


def _misplaced(
    row: Row, images: Mapping[str, Grey | None], seen: set[tuple[str, str]], *, class_count: int
) -> str | None:
    if row.name not in images:
        return f"{row.name!r} is not in images/"
    if row.class_text not in map(str, range(1, class_count + 1)):
        return f"class {row.class_text!r} is not 1..{class_count}"
    if (row.name, row.class_text) in seen:
        return f"a second row for {row.name}, class {row.class_text}"
    return None


def _draw_mask(row: Row, image: Grey | None, labels: Labels) -> None:
    what = None
    if not _RUNS.fullmatch(row.runs):
        what = f"expected pairs of whole numbers, found {row.runs[:40]!r}"
    elif image is not None:
        class_map = labels.maps.setdefault(row.name, np.zeros(image.shape, np.uint8))
        try:
            mask = rle.decode(row.runs, height=image.shape[0], width=image.shape[1])
        except rle.RunLengthError as error:
            what = str(error)
        else:
            if class_map[mask].any():
                what = "overlaps another class"
            class_map[mask] = int(row.class_text)
    if what:
        where = f"{row.name}, class {row.class_text}"
        labels.note(row.where, f"{where}: {what}", image=row.name)


def _note_unlisted(images: Mapping[str, Grey | None], listed: set[str], labels: Labels) -> None:
    what = f"has no row, though {TABLE} lists images without defects; taken as free of defects"
    labels.faults += [Fault(name, what, "warning") for name in images if name not in listed]


def _lines(path: Path, labels: Labels) -> list[str]:
    """Lines of the table, the header first; none where there is no use in reading on."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        labels.faults.append(Fault(path.name, f"can't be read: {error.strerror}"))
        return []
    except UnicodeDecodeError as error:
        what = f"is not UTF-8 text (byte {error.start}); save it as UTF-8"
        labels.faults.append(Fault(path.name, what))
        return []
    if _fields(lines[0]) not in HEADERS:
        expected = " or ".join(",".join(names) for names in HEADERS)
        what = f"the header is {lines[0].strip()[:80]!r}, expected {expected}"
        labels.faults.append(Fault(f"{path.name}:1", what))
        return []
    return lines


def _rows(lines: list[str], labels: Labels) -> Iterator[Row]:
    """Rows with the right number of fields.

    Not the csv module's: it refuses a field of more than 128 KiB, which a large mask may need, and
    a stray quote would swallow the rows below.
    """
    columns = len(_fields(lines[0]))
    for number, line in enumerate(lines[1:], start=2):
        fields = _fields(line)
        where = f"{TABLE}:{number}"
        if columns == len(HEADERS[1]):
            name, _, class_text = fields[0].rpartition("_")
        else:
            name, class_text = fields[0], fields[1] if len(fields) > 1 else ""
        runs = "" if fields[-1].lower() == "nan" else fields[-1]
        row = Row(where, name, class_text, runs)
        if len(fields) == columns:
            yield row
        elif fields != [""]:
            labels.note(row.where, f"has {len(fields)} fields, expected {columns}", image=row.name)


def _fields(line: str) -> list[str]:
    return [text.strip().strip('"').strip() for text in line.split(",")]
