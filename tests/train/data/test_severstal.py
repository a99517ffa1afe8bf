"""The table of run lengths: both layouts, and every fault placed at its line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core import rle
from train.data.labels import Labels
from train.data.severstal import read_labels
from train.data.strips import Grey

HEADER = "ImageId,ClassId,EncodedPixels"
JOINED = "ImageId_ClassId,EncodedPixels"
IMAGES: dict[str, Grey | None] = {
    "a_1.jpg": np.zeros((4, 6), np.uint8),
    "b.jpg": np.zeros((5, 3), np.uint8),
    "torn.jpg": None,
}


def read(root: Path, table: str | bytes) -> Labels:
    data = table if isinstance(table, bytes) else table.encode()
    (root / "train.csv").write_bytes(data)
    return read_labels(root, IMAGES, class_count=4)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "lines",
    [
        (HEADER, "a_1.jpg,2,5 4", "b.jpg,1,15 1"),
        (JOINED, "a_1.jpg_2,5 4", "b.jpg_1,15 1"),
        ("\ufeff" + HEADER, '"a_1.jpg",2,"5 4"', " b.jpg , 1 , 15 1 ", "", ""),
    ],
)
def test_both_layouts_give_the_same_masks(
    tmp_path: Path, lines: tuple[str, ...], newline: str
) -> None:
    labels = read(tmp_path, newline.join(lines))
    assert labels.faults == []
    assert np.argwhere(labels.maps["a_1.jpg"] == 2).tolist() == [[row, 1] for row in range(4)]
    assert np.argwhere(labels.maps["b.jpg"]).tolist() == [[4, 2]]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("gone.jpg,1,1 5", "'gone.jpg' is not in images/"),
        ("b.jpg,5,1 5", "class '5' is not 1..4"),
        ("b.jpg,0,1 5", "class '0' is not 1..4"),
        ("b.jpg,,1 5", "class '' is not 1..4"),
        ("b.jpg,1", "2 fields, expected 3"),
        ("b.jpg,1,1 2,3", "4 fields, expected 3"),
        ("b.jpg,1,1 2 3", "pairs"),
        ("b.jpg,1,one 2", "expected pairs of whole numbers, found 'one 2'"),
        ("b.jpg,1,1_0 2", "expected pairs of whole numbers"),
        ("b.jpg,1,1.0 2.0", "expected pairs of whole numbers"),
        ("torn.jpg,1,1.0 2.0", "expected pairs of whole numbers"),
        ("b.jpg,1,0 5", "starts before pixel 1"),
        ("b.jpg,1,-3 5", "starts before pixel 1"),
        ("b.jpg,1,3 0", "is empty"),
        ("b.jpg,1,15 2", "past the last pixel, 15"),
        ("b.jpg,1,9223372036854775807 9223372036854775807", "expected pairs of whole numbers"),
        ("b.jpg,1,999999999999999999 999999999999999999", "past the last pixel"),
        ("b.jpg,1,5 2 1 2", "overlaps or precedes"),
        ("b.jpg,1,1 4 3 4", "overlaps or precedes"),
        ("b.jpg,1,1 5\nb.jpg,1,9 5", "a second row for b.jpg, class 1"),
        ("b.jpg,1,1 5\nb.jpg,2,3 5", "b.jpg, class 2: overlaps another class"),
    ],
)
def test_each_fault_is_found_and_placed(tmp_path: Path, rows: str, what: str) -> None:
    labels = read(tmp_path, f"{HEADER}\na_1.jpg,3,1 1\n{rows}\n")
    (fault,) = labels.faults
    assert what in fault.what
    assert fault.where == f"train.csv:{2 + len(rows.splitlines())}"
    assert labels.faulty == {rows.partition(",")[0]}


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("", "the header is ''"),
        ("image,mask\na,b\n", "the header is 'image,mask', expected ImageId,ClassId"),
        (HEADER.encode("utf-16"), "is not UTF-8 text (byte 0)"),
        (HEADER.encode() + b"\nb.jpg,1,1 5\n\xe9.jpg,1,1 5", "is not UTF-8 text (byte 42)"),
    ],
)
def test_a_table_that_says_nothing_makes_every_image_doubtful(
    tmp_path: Path, table: str | bytes, what: str
) -> None:
    labels = read(tmp_path, table)
    assert what in labels.faults[0].what
    assert labels.faulty == IMAGES.keys()


def test_a_table_that_cannot_be_read_makes_every_image_doubtful(tmp_path: Path) -> None:
    (tmp_path / "train.csv").mkdir()
    labels = read_labels(tmp_path, IMAGES, class_count=4)
    assert "can't be read" in labels.faults[0].what
    assert labels.faulty == IMAGES.keys()


def test_clean_images_of_a_larger_set_may_lack(tmp_path: Path) -> None:
    labels = read(tmp_path, f"{JOINED}\na_1.jpg_1,\nb.jpg_1,nan\ntorn.jpg_2,\ngone.jpg_1,\n")
    assert [(fault.where, fault.severity) for fault in labels.faults] == [
        ("train.csv:5", "warning")
    ]


def test_an_image_that_a_complete_table_forgets_is_a_warning(tmp_path: Path) -> None:
    labels = read(tmp_path, f"{JOINED}\na_1.jpg_1,\nb.jpg_1,\n")
    (fault,) = labels.faults
    assert (fault.where, fault.severity) == ("torn.jpg", "warning")


def test_a_mask_may_be_longer_than_the_csv_module_allows(tmp_path: Path) -> None:
    image = np.zeros((400, 400), np.uint8)
    mask = np.indices(image.shape).sum(axis=0) % 2 == 0
    (tmp_path / "train.csv").write_text(f"{HEADER}\nbig.png,1,{rle.encode(mask)}\n")
    labels = read_labels(tmp_path, {"big.png": image}, class_count=1)
    assert labels.faults == []
    assert np.array_equal(labels.maps["big.png"] == 1, mask)


TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
NUMBER = st.integers(-5, 40) | st.integers(-(2**70), 2**70)
ROW = st.builds(
    ",".join,
    st.tuples(
        st.sampled_from(["a_1.jpg", "b.jpg", "torn.jpg"]) | TEXT,
        st.sampled_from("01234") | TEXT,
        st.lists(NUMBER, max_size=6).map(lambda numbers: " ".join(map(str, numbers))) | TEXT,
    ),
)
TABLE = st.tuples(st.sampled_from([HEADER, JOINED]), st.lists(ROW | TEXT)).map(
    lambda parts: "\n".join([parts[0], *parts[1]]).encode()
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(table=TABLE | st.binary())
def test_no_table_whatever_raises(tmp_path_factory: pytest.TempPathFactory, table: bytes) -> None:
    labels = read(tmp_path_factory.getbasetemp(), table)
    for name, classes in labels.maps.items():
        image = IMAGES[name]
        assert image is not None
        assert classes.shape == image.shape
        assert classes.max() <= 4


@settings(deadline=None, derandomize=True)
@given(pixels=st.lists(st.integers(0, 4), min_size=24, max_size=24))
def test_masks_written_as_run_lengths_come_back(
    tmp_path_factory: pytest.TempPathFactory, pixels: list[int]
) -> None:
    classes = np.array(pixels, np.uint8).reshape(4, 6)
    rows = [f"a_1.jpg,{k},{rle.encode(classes == k)}" for k in range(1, 5)]
    labels = read(tmp_path_factory.getbasetemp(), "\n".join([HEADER, *rows]))
    found = labels.maps.get("a_1.jpg", np.zeros((4, 6), np.uint8))
    assert np.array_equal(found, classes)
    assert "a_1.jpg" not in labels.faulty
