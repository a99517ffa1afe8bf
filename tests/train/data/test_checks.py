"""Looking a data set over: counts, doubts and faults, whatever lies in the folder."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from train.data.checks import Report, check_data
from train.data.strips import Fault


def write(root: Path, kinds: list[int], *, twins: int = 0, twins_kind: int | None = None) -> Path:
    """Write one small strip per kind (the class on it, 0: clean), the first ones twice."""
    images = list(np.random.default_rng(0).integers(0, 230, (len(kinds), 16, 66), dtype=np.uint8))
    images += [image + np.uint8(3) for image in images[:twins]]
    again = [kind if twins_kind is None else twins_kind for kind in kinds[:twins]]
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for number, (image, kind) in enumerate(zip(images, kinds + again, strict=True)):
        cv2.imwrite(str(root / "images" / f"{number:03d}.png"), image)
        mask = np.full(image.shape, kind, np.uint8)
        Image.fromarray(mask).save(root / "masks" / f"{number:03d}.png")
    return root


def check(root: Path) -> Report:
    return check_data(root, class_count=3, share=0.25, seed=1)


def test_a_good_set_is_counted_and_has_nothing_to_complain_of(tmp_path: Path) -> None:
    report = check(write(tmp_path, [0, 1, 2, 3] * 8))
    assert (report.faults, report.is_usable) == ((), True)
    assert (report.all.strips, report.all.with_class, report.all.clean) == (32, (8, 8, 8), 8)
    assert report.training is not None
    assert report.validation is not None
    assert report.validation.with_class == (2, 2, 2)
    assert report.training.strips + report.validation.strips == 32
    assert report.sizes_wh == (((66, 16), 32),)
    assert report.duplicates == ()


def test_the_split_tears_no_near_duplicates_where_a_random_one_would(tmp_path: Path) -> None:
    report = check(write(tmp_path, [0, 1, 2, 3] * 8, twins=20))
    assert len(report.duplicates) == 20
    assert all(len(names) == 2 for names in report.duplicates)
    assert report.torn == 0
    assert report.torn_at_random > 2


def test_near_duplicates_with_other_labels_are_a_warning(tmp_path: Path) -> None:
    report = check(write(tmp_path, [1, 0, 2, 3] * 8, twins=1, twins_kind=2))
    assert report.faults == (
        Fault(
            "000.png",
            "is a near-duplicate of 032.png, but is labelled with other classes",
            "warning",
        ),
    )
    assert report.is_usable


def test_a_set_of_featureless_strips_is_a_warning(tmp_path: Path) -> None:
    root = write(tmp_path, [0, 1, 2, 3] * 8)
    for number in range(0, 24, 4):
        cv2.imwrite(str(root / "images" / f"{number:03d}.png"), np.full((16, 66), 9, np.uint8))
    (fault,) = check(root).faults
    assert fault.where == "000.png"
    assert "and 5 others look alike" in fault.what


def test_a_tiny_label_is_a_warning(tmp_path: Path) -> None:
    root = write(tmp_path, [0, 1, 2, 3] * 8)
    mask = np.zeros((16, 66), np.uint8)
    mask[3, :7] = 2
    Image.fromarray(mask).save(root / "masks" / "002.png")
    assert check(root).faults == (Fault("002.png", "class 2 covers 7 pixels only", "warning"),)


def test_a_class_that_is_on_one_side_only_is_a_warning(tmp_path: Path) -> None:
    report = check(write(tmp_path, [0] * 8 + [1] * 8 + [2]))
    assert [(fault.where, fault.what, fault.severity) for fault in report.faults] == [
        ("class 3", "is on no training strip", "warning"),
        ("class 2", "is on no validation strip", "warning"),
        ("class 3", "is on no validation strip", "warning"),
    ]


def test_all_faults_stand_together_errors_first(tmp_path: Path) -> None:
    root = write(tmp_path, [0, 1, 2, 3] * 8)
    (root / "images" / "readme.txt").touch()
    (root / "images" / "001.png").write_bytes(b"")
    (root / "masks" / "002.png").unlink()
    (root / "masks" / "more.png").touch()
    report = check(root)
    assert [fault.severity for fault in report.faults] == ["error"] * 3 + ["warning"]
    assert not report.is_usable
    assert report.all.strips == 30


def test_suspects_are_named_and_on_no_side(tmp_path: Path) -> None:
    root = write(tmp_path, [0, 1, 2, 3] * 8)
    (root / "suspect_clean.txt").write_text("004.png\n")
    report = check(root)
    assert report.suspects == ("004.png",)
    assert report.training is not None
    assert report.validation is not None
    assert report.training.strips + report.validation.strips == 31


@pytest.mark.parametrize("kinds", [[], [1], [0, 1, 2]])
def test_a_set_that_is_too_small_to_split_is_an_error(tmp_path: Path, kinds: list[int]) -> None:
    report = check(write(tmp_path, kinds))
    assert not report.is_usable
    assert any(fault.where == "split" for fault in report.faults)
    assert report.training is None


def test_whatever_lies_there_is_told_not_raised(root: Path, tmp_path: Path) -> None:
    assert not check(tmp_path / "nowhere").is_usable
    (tmp_path / "file").touch()
    assert not check(tmp_path / "file").is_usable
    copy = Path(shutil.copytree(root, tmp_path / "copy"))
    (copy / "train.csv").write_bytes(b"\xff\xfe\x00")
    report = check(copy)
    assert report.all.strips == 0
    assert "not UTF-8" in report.faults[0].what
