"""Rows of Kaggle's Severstal submissions: ``ImageId,ClassId,EncodedPixels``."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_daemon.core.records import ClassMask
from edge_daemon.core.rle import encode

HEADER = "ImageId,ClassId,EncodedPixels\n"


@dataclass(frozen=True, slots=True)
class SubmissionRow:
    """All pixels of one class in one image.

    Attributes:
        image_id: the image's file name.
        class_id: the class found in it.
        encoded_pixels: run lengths, column-major, 1-based; never empty.
    """

    image_id: str
    class_id: int
    encoded_pixels: str


def submission_rows(image_id: str, mask: ClassMask) -> Iterator[SubmissionRow]:
    """Give a row for each class in a mask (H, W), in the order of their numbers."""
    for class_id in np.unique(mask[mask > 0]).tolist():
        yield SubmissionRow(image_id, class_id, encode(mask == class_id))


def to_csv(rows: Iterable[SubmissionRow]) -> str:
    """Write rows as CSV (RFC 4180, but with plain line feeds), without the header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((row.image_id, row.class_id, row.encoded_pixels) for row in rows)
    return text.getvalue()
