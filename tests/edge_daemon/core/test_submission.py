import csv
import io

import numpy as np

from edge_daemon.core.rle import decode
from edge_daemon.core.submission import HEADER, SubmissionRow, submission_rows, to_csv


def test_there_is_a_row_for_each_class_and_its_runs_give_the_mask_back() -> None:
    mask = np.zeros((4, 6), np.uint8)
    mask[1:3, 2:4] = 3
    mask[0, 0] = 1
    rows = list(submission_rows("a.jpg", mask))
    assert [(row.image_id, row.class_id) for row in rows] == [("a.jpg", 1), ("a.jpg", 3)]
    for row in rows:
        assert np.array_equal(decode(row.encoded_pixels, height=4, width=6), mask == row.class_id)


def test_pixels_are_counted_down_the_columns_from_one() -> None:
    mask = np.zeros((4, 3), np.uint8)
    mask[2:, 1] = 2
    assert list(submission_rows("a.jpg", mask)) == [SubmissionRow("a.jpg", 2, "7 2")]


def test_a_sound_strip_has_no_row() -> None:
    assert list(submission_rows("a.jpg", np.zeros((4, 4), np.uint8))) == []


def test_the_text_is_csv_even_for_names_with_commas_and_quotes() -> None:
    name = 'a,"b"\n.jpg'
    text = HEADER + to_csv([SubmissionRow(name, 4, "1 2"), SubmissionRow("b.jpg", 1, "3 1")])
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows == [
        {"ImageId": name, "ClassId": "4", "EncodedPixels": "1 2"},
        {"ImageId": "b.jpg", "ClassId": "1", "EncodedPixels": "3 1"},
    ]
    assert to_csv([SubmissionRow("b.jpg", 1, "3 1")]) == "b.jpg,1,3 1\n"
