"""Masks of class numbers: the index of a palette counts, and every damage is told."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from train.data.index_masks import read_labels
from train.data.labels import Labels
from train.data.strips import ClassMap

CLASSES = np.random.default_rng(1).integers(0, 4, (12, 17), dtype=np.uint8)
PALETTE = [9, 9, 9, 255, 0, 0, 0, 255, 0, 0, 0, 255]


def png(classes: ClassMap, *, palette: bool = False, bits: int | None = None) -> bytes:
    image = Image.fromarray(classes)
    if palette:
        image.putpalette(PALETTE)
    file = io.BytesIO()
    image.save(file, "PNG", **({} if bits is None else {"bits": bits}))
    return file.getvalue()


def few_bit_grey(classes: ClassMap, *, bits: int) -> bytes:
    """Write a grey PNG of 1, 2 or 4 bits per pixel (PNG, 11.2.2), which Pillow doesn't."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    height, width = classes.shape
    spread = np.unpackbits(classes[:, :, None], axis=2)[:, :, 8 - bits :].reshape(height, -1)
    rows = b"".join(b"\0" + np.packbits(row).tobytes() for row in spread)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    packed = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + packed


def read(root: Path, mask: bytes, *, class_count: int = 3) -> Labels:
    (root / "masks").mkdir(exist_ok=True)
    (root / "masks" / "a.png").write_bytes(mask)
    return read_labels(root, {"a.jpg": np.zeros_like(CLASSES)}, class_count=class_count)


@pytest.mark.parametrize(
    "mask",
    [
        png(CLASSES),
        png(CLASSES, palette=True),
        png(CLASSES, palette=True, bits=2),
        png(CLASSES, palette=True, bits=4),
        few_bit_grey(CLASSES, bits=2),
        few_bit_grey(CLASSES, bits=4),
    ],
    ids=["grey", "palette", "palette 2 bits", "palette 4 bits", "grey 2 bits", "grey 4 bits"],
)
def test_the_number_of_a_pixel_is_its_class(tmp_path: Path, mask: bytes) -> None:
    labels = read(tmp_path, mask)
    assert labels.faults == []
    assert np.array_equal(labels.maps["a.jpg"], CLASSES)


def test_one_bit_is_class_1(tmp_path: Path) -> None:
    labels = read(tmp_path, few_bit_grey(CLASSES & np.uint8(1), bits=1))
    assert np.array_equal(labels.maps["a.jpg"], CLASSES & 1)


def test_a_mask_of_zeros_is_a_clean_strip(tmp_path: Path) -> None:
    labels = read(tmp_path, png(np.zeros_like(CLASSES)))
    assert (labels.maps, labels.faulty, labels.faults) == ({}, set(), [])


def coloured() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.dstack([CLASSES] * 3)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("mask", "what"),
    [
        (png(CLASSES * 70), "has pixels of class 70, 140, 210, expected 0..3"),
        (png(CLASSES + np.uint8(1)), "has pixels of class 4, expected 0..3"),
        (png(CLASSES[:-1]), "is 17 x 11, its image is 17 x 12"),
        (coloured(), "holds colours (RGB)"),
        (png(CLASSES)[:-20], "is cut short"),
        (b"", "the file is empty"),
        (b"BM not a PNG", "is no PNG"),
    ],
)
def test_each_fault_is_found_and_placed(tmp_path: Path, mask: bytes, what: str) -> None:
    labels = read(tmp_path, mask)
    (fault,) = labels.faults
    assert fault.where == "masks/a.png"
    assert what in fault.what
    assert labels.faulty == {"a.jpg"}


def test_a_missing_mask_is_no_clean_strip(tmp_path: Path) -> None:
    images = {"a.jpg": np.zeros_like(CLASSES), "b.jpg": np.zeros_like(CLASSES)}
    read(tmp_path, png(CLASSES))
    labels = read_labels(tmp_path, images, class_count=3)
    assert [fault.where for fault in labels.faults] == ["b.jpg"]
    assert labels.faulty == {"b.jpg"}


def test_a_mask_without_image_and_a_mask_that_is_no_png_are_faults(tmp_path: Path) -> None:
    read(tmp_path, png(CLASSES))
    (tmp_path / "masks" / "b.png").write_bytes(png(CLASSES))
    (tmp_path / "masks" / "a.jpg").touch()
    labels = read(tmp_path, png(CLASSES))
    assert {(fault.where, fault.severity) for fault in labels.faults} == {
        ("masks/b.png", "error"),
        ("masks/a.jpg", "warning"),
    }


def test_a_mask_of_an_image_that_could_not_be_read_is_looked_at_all_the_same(
    tmp_path: Path,
) -> None:
    read(tmp_path, png(CLASSES + np.uint8(1)))
    labels = read_labels(tmp_path, {"a.jpg": None}, class_count=3)
    assert "class 4" in labels.faults[0].what


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    palette=st.booleans(),
    wrong=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6),
    rewritten=st.booleans(),
)
def test_damaged_bytes_are_read_or_told(
    tmp_path_factory: pytest.TempPathFactory,
    palette: bool,  # noqa: FBT001 - hypothesis names it
    wrong: list[tuple[int, int]],
    rewritten: bool,  # noqa: FBT001 - hypothesis names it
) -> None:
    damaged = bytearray(png(CLASSES, palette=palette))
    for place, value in wrong:
        damaged[place % len(damaged)] = value
    if rewritten:
        # a right checksum over wrong content reaches deeper into the decoder
        damaged[29:33] = zlib.crc32(damaged[12:29]).to_bytes(4, "big")
    labels = read(tmp_path_factory.getbasetemp(), bytes(damaged))
    assert labels.faults or "a.jpg" not in labels.faulty
    assert all(classes.max() <= 3 for classes in labels.maps.values())
