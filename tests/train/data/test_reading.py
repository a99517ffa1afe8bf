"""Reading a data set: what is right comes in, and everything that is wrong is named at once."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from train.data.reading import load_strips, read_strips
from train.data.strips import DataError


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root, tmp_path / "strips"))


def test_a_good_set_has_no_faults(root: Path) -> None:
    strips, faults = read_strips(root, class_count=4)
    assert faults == []
    assert strips.sizes_hw() == {(256, 1600)}
    assert strips.presence().any(axis=1).tolist() == [False] * 4 + [True] * 8


def test_index_masks_are_found_by_their_folder(mask_root: Path) -> None:
    strips, faults = read_strips(mask_root, class_count=3)
    assert faults == []
    assert len(strips.sizes_hw()) == 12
    assert strips.presence().sum(axis=0).tolist() == [2, 3, 3]


def test_clean_strips_of_one_size_share_one_class_map(root: Path) -> None:
    strips = load_strips(root, class_count=4)
    assert len({id(classes) for classes in strips.classes}) == 1 + 8


def test_suspects_are_known_by_name(copy: Path) -> None:
    (copy / "suspect_clean.txt").write_text("# seen by eye\n001.jpg  # a dent\n\n")
    assert load_strips(copy, class_count=4).suspects == {"001.jpg"}


def test_a_suspect_that_is_no_strip_is_a_fault(copy: Path) -> None:
    (copy / "suspect_clean.txt").write_text("gone.jpg\n")
    _, (fault,) = read_strips(copy, class_count=4)
    assert fault.where == "suspect_clean.txt"
    assert "'gone.jpg'" in fault.what


@pytest.mark.parametrize("text", [b"\xff\xfe0\x000\x001\x00", None])
def test_a_list_of_suspects_that_is_no_text_is_a_fault(copy: Path, text: bytes | None) -> None:
    path = copy / "suspect_clean.txt"
    path.mkdir() if text is None else path.write_bytes(text)
    _, (fault,) = read_strips(copy, class_count=4)
    assert fault.where == "suspect_clean.txt"


def test_all_faults_are_listed_together_and_faulty_strips_left_out(copy: Path) -> None:
    (copy / "images" / "000.jpg").write_bytes(b"\xff\xd8\xff")
    with (copy / "train.csv").open("a") as file:
        file.write("001.jpg,7,1 5\n002.jpg,1,0 5\n")
    strips, faults = read_strips(copy, class_count=4)
    assert len(faults) == 3
    assert set(strips.names).isdisjoint({"000.jpg", "001.jpg", "002.jpg"})
    assert len(strips) == 9
    with pytest.raises(DataError, match="3 faults"):
        load_strips(copy, class_count=4)


def test_a_warning_keeps_nobody_from_training(copy: Path) -> None:
    (copy / "images" / "notes.txt").write_text("taken in May")
    _, (fault,) = read_strips(copy, class_count=4)
    assert fault.severity == "warning"
    assert len(load_strips(copy, class_count=4)) == 12


def test_an_empty_folder_is_told_in_two_faults(tmp_path: Path) -> None:
    strips, faults = read_strips(tmp_path / "nowhere", class_count=4)
    assert len(strips) == 0
    assert [fault.where for fault in faults] == ["images/", str(tmp_path / "nowhere")]
    (tmp_path / "images").mkdir()
    _, faults = read_strips(tmp_path, class_count=4)
    assert "is empty" in faults[0].what


def test_labels_in_both_layouts_are_refused(copy: Path) -> None:
    (copy / "masks").mkdir()
    strips, (fault,) = read_strips(copy, class_count=4)
    assert "has both of train.csv and masks/" in fault.what
    assert len(strips) == 0


def test_strips_of_any_size_are_read_from_run_lengths(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name, size in (("a.png", (20, 30)), ("b.png", (10, 70))):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros(size, np.uint8))
    (tmp_path / "train.csv").write_text(
        "ImageId,ClassId,EncodedPixels\na.png,1,21 3\nb.png,2,11 3\n"
    )
    strips = load_strips(tmp_path, class_count=2)
    for classes, class_id in zip(strips.classes, (1, 2), strict=True):
        assert np.argwhere(classes == class_id).tolist() == [[0, 1], [1, 1], [2, 1]]
