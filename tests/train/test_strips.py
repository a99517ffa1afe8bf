"""Reading a data set: what is right comes in, and everything that is wrong is named at once."""

import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.strips import DataError, load_strips, read_strips


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root, tmp_path / "strips"))


def add_row(root: Path, row: str) -> None:
    with (root / "train.csv").open("a") as file:
        file.write(row + "\n")


def test_a_good_set_has_no_faults(root: Path) -> None:
    strips, faults = read_strips(root)
    assert faults == []
    assert strips.images.shape == (12, 256, 1600)
    assert strips.presence().any(axis=1).tolist() == [False] * 4 + [True] * 8


def test_the_older_layout_of_the_table_reads_the_same(root: Path, copy: Path) -> None:
    lines = (copy / "train.csv").read_text().splitlines()[1:]
    joined = [line.replace(",", "_", 1) for line in lines]
    empty = [f"000.jpg_{k}," for k in range(1, 5)]
    (copy / "train.csv").write_text("\n".join(["ImageId_ClassId,EncodedPixels", *joined, *empty]))
    assert np.array_equal(load_strips(copy).classes, load_strips(root).classes)


def test_suspects_are_known_by_name(copy: Path) -> None:
    (copy / "suspect_clean.txt").write_text("# seen by eye\n001.jpg  # a dent\n\n")
    assert load_strips(copy).suspects == {"001.jpg"}


def test_strips_are_found_by_name_in_any_order(root: Path) -> None:
    strips = load_strips(root)
    assert np.array_equal(strips.named(["005.jpg", "001.jpg"]).images, strips.images[[5, 1]])
    with pytest.raises(DataError, match=r"first other\.jpg"):
        strips.named(["other.jpg"])


def cut_short(root: Path) -> None:
    (root / "images" / "000.jpg").write_bytes(b"\xff\xd8\xff")


def make_small(root: Path) -> None:
    cv2.imwrite(str(root / "images" / "000.jpg"), np.zeros((128, 1600), np.uint8))


def make_coloured(root: Path) -> None:
    image = np.zeros((256, 1600, 3), np.uint8)
    image[:, :, 2] = 200
    cv2.imwrite(str(root / "images" / "000.jpg"), image)


@pytest.mark.parametrize(
    ("damage", "where", "what"),
    [
        (cut_short, "000.jpg", "can't be decoded"),
        (make_small, "000.jpg", "expected 1600 x 256"),
        (make_coloured, "000.jpg", "is coloured"),
        (lambda root: add_row(root, "nowhere.jpg,1,1 5"), "train.csv", "not in images/"),
        (lambda root: add_row(root, "000.jpg,5,1 5"), "train.csv", "class '5' is not 1..4"),
        (lambda root: add_row(root, "000.jpg,x,1 5"), "train.csv", "class 'x' is not 1..4"),
        (lambda root: add_row(root, "000.jpg,1"), "train.csv", "2 fields, expected 3"),
        (lambda root: add_row(root, "000.jpg,1,1 2 3"), "train.csv", "pairs"),
        (lambda root: add_row(root, "000.jpg,1,409600 2"), "train.csv", "past the last pixel"),
        (
            lambda root: add_row(root, "000.jpg,1,1 5\n000.jpg,1,9 5"),
            "train.csv",
            "a second row for 000.jpg, class 1",
        ),
        (
            lambda root: add_row(root, "000.jpg,1,1 5\n000.jpg,2,3 5"),
            "train.csv",
            "class 2 overlaps another class",
        ),
        (
            lambda root: (root / "suspect_clean.txt").write_text("gone.jpg\n"),
            "suspect_clean.txt",
            "'gone.jpg' is not in images/",
        ),
    ],
)
def test_each_fault_is_found_and_placed(
    copy: Path, damage: Callable[[Path], object], where: str, what: str
) -> None:
    damage(copy)
    _, faults = read_strips(copy)
    assert [what in fault.what and fault.where.startswith(where) for fault in faults] == [True]


def test_all_faults_are_listed_together(copy: Path) -> None:
    cut_short(copy)
    add_row(copy, "001.jpg,7,1 5")
    add_row(copy, "002.jpg,1,0 5")
    _, faults = read_strips(copy)
    assert len(faults) == 3
    with pytest.raises(DataError, match="3 faults"):
        load_strips(copy)


def test_a_folder_without_images_or_table_is_refused(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \*\.jpg"):
        read_strips(tmp_path / "elsewhere")
    (copy / "train.csv").write_text("image,mask\n")
    with pytest.raises(DataError, match="header"):
        read_strips(copy)
    (copy / "train.csv").unlink()
    with pytest.raises(DataError, match=r"train\.csv"):
        read_strips(copy)
