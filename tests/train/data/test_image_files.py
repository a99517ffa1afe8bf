"""Image files: grey ones come in whatever their format, and damage is told, never raised."""

import os
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from train.data.image_files import SUFFIXES, ImageFileError, list_files, read_grey

GREY = np.random.default_rng(0).integers(0, 256, (24, 36), dtype=np.uint8)


def packed(suffix: str, image: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = GREY) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


@pytest.mark.parametrize("suffix", [s for s in SUFFIXES if not s.startswith(".jp")])
def test_a_lossless_image_is_read_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(suffix))
    assert np.array_equal(read_grey(path), GREY)
    path.write_bytes(packed(suffix, np.dstack([GREY] * 3)))
    assert np.array_equal(read_grey(path), GREY)


def test_a_grey_jpeg_is_read(tmp_path: Path) -> None:
    smooth = np.tile(np.arange(64, dtype=np.uint8) * 3, (32, 1))
    path = tmp_path / "a.jpg"
    path.write_bytes(packed(".jpg", smooth))
    assert np.abs(read_grey(path).astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".bmp"])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.98])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    whole = packed(suffix)
    path = tmp_path / f"a{suffix}"
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(ImageFileError):
        read_grey(path)


def test_a_png_with_one_wrong_bit_in_its_pixels_is_refused(tmp_path: Path) -> None:
    damaged = bytearray(packed(".png"))
    damaged[len(damaged) // 2] ^= 0x10
    path = tmp_path / "a.png"
    path.write_bytes(damaged)
    with pytest.raises(ImageFileError, match="decoded"):
        read_grey(path)


def test_a_coloured_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(packed(".png", np.dstack([GREY, GREY, 255 - GREY])))
    with pytest.raises(ImageFileError, match="is coloured"):
        read_grey(path)


def test_sixteen_bits_are_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), GREY.astype(np.uint16) * 200)
    with pytest.raises(ImageFileError, match="save it with 8 bits"):
        read_grey(path)


def test_a_small_file_that_announces_a_huge_image_is_refused(tmp_path: Path) -> None:
    huge = bytearray(packed(".png"))
    huge[16:20] = (60_000).to_bytes(4, "big")
    path = tmp_path / "a.png"
    path.write_bytes(huge)
    with pytest.raises(ImageFileError, match="is 60000 x 24"):
        read_grey(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(packed(".png"))
    path.chmod(stat.S_IWUSR)
    with pytest.raises(ImageFileError, match="can't be read: Permission denied"):
        read_grey(path)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    suffix=st.sampled_from([".png", ".jpg", ".bmp", ".tif"]),
    wrong=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6),
    cut=st.floats(0.0, 1.0) | st.just(1.0),
)
def test_damaged_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, suffix: str, wrong: list[tuple[int, int]], cut: float
) -> None:
    damaged = bytearray(packed(suffix))
    for place, value in wrong:
        damaged[place % len(damaged)] = value
    path = tmp_path_factory.getbasetemp() / f"damaged{suffix}"
    path.write_bytes(damaged[: int(cut * len(damaged))])
    try:
        assert read_grey(path).ndim == 2
    except ImageFileError as error:
        assert str(error)  # noqa: PT017 - most damage is told, some isn't noticed


def test_only_images_are_listed_and_the_rest_is_named(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", ".hidden.png", "readme.txt"):
        (tmp_path / name).touch()
    (tmp_path / "train").mkdir()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    listing = list_files(tmp_path, suffixes=SUFFIXES)
    assert list(listing.paths) == ["a.jpg", "b.PNG"]
    named = {fault.where.rpartition("/")[2]: fault.severity for fault in listing.faults}
    assert named == {"readme.txt": "warning", "train": "error", "gone.png": "error"}


def test_names_that_differ_in_the_suffix_only_are_a_fault(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png", "b.png"):
        (tmp_path / name).touch()
    (fault,) = list_files(tmp_path, suffixes=SUFFIXES).faults
    assert fault.where.endswith("a.*")
    assert "2 files" in fault.what


def test_a_name_that_is_no_text_is_a_fault_that_can_be_printed(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")).touch()
    listing = list_files(tmp_path, suffixes=SUFFIXES)
    assert listing.paths == {}
    assert listing.faults[0].where.encode().endswith(b"\\xff.png")


def test_a_file_in_place_of_the_folder_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "images").touch()
    (fault,) = list_files(tmp_path / "images", suffixes=SUFFIXES).faults
    assert fault.what == "can't be read: Not a directory"
