import cv2
import numpy as np
import pytest

from edge_daemon.simulation.marks import ClassMask
from edge_daemon.simulation.strips import StripImage, draw_strip

Drawn = list[tuple[StripImage, ClassMask]]


@pytest.fixture(scope="module")
def strips() -> Drawn:
    rng = np.random.default_rng(11)
    return [draw_strip(rng) for _ in range(60)]


def test_the_same_seed_draws_the_same_strip_and_another_seed_another() -> None:
    first, again, other = (draw_strip(np.random.default_rng(seed)) for seed in (4, 4, 5))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_strips_have_the_networks_shape_and_only_known_classes(strips: Drawn) -> None:
    for image, mask in strips:
        assert image.shape == mask.shape == (256, 1600)
        assert image.dtype == mask.dtype == np.uint8
        assert mask.max() <= 4
        assert len(np.unique(image)) > 30
    assert {int(c) for _, mask in strips for c in np.unique(mask)} == {0, 1, 2, 3, 4}


def test_strips_look_like_real_ones_in_mean_and_deviation(strips: Drawn) -> None:
    pixels = np.stack([image for image, _ in strips]) / 255
    assert abs(pixels.mean() - 0.343) < 0.06
    assert abs(pixels.std() - 0.21) < 0.05


def test_about_two_fifths_are_clean(strips: Drawn) -> None:
    clean = sum(not mask.any() for _, mask in strips)
    assert 0.25 < clean / len(strips) < 0.55


def test_most_defects_stand_out_from_the_ring_around_them(strips: Drawn) -> None:
    stands_out = [_differs(image, piece) for image, mask in strips for piece in _pieces(mask)]
    assert len(stands_out) > 60
    assert np.mean(stands_out) > 0.95


def test_no_label_lies_beside_the_strip(strips: Drawn) -> None:
    for image, mask in strips:
        beside = image.max(axis=0) < 12
        assert not mask[:, beside].any()


@pytest.mark.parametrize(("height", "width"), [(64, 256), (256, 512), (512, 1600)])
def test_other_sizes_are_drawn_too(height: int, width: int) -> None:
    rng = np.random.default_rng(2)
    for _ in range(4):
        image, mask = draw_strip(rng, height=height, width=width)
        assert image.shape == mask.shape == (height, width)


def _pieces(mask: ClassMask) -> list[ClassMask]:
    pieces = []
    for class_id in range(1, 5):
        same = (mask == class_id).astype(np.uint8)
        count, labels = cv2.connectedComponents(same, connectivity=8)
        pieces += [(labels == n).astype(np.uint8) for n in range(1, count)]
    return [piece for piece in pieces if piece.sum() >= 150]


def _differs(image: StripImage, piece: ClassMask) -> bool:
    """Whether grey levels inside spread otherwise than in a ring around: Kolmogorov-Smirnov."""
    ring = cv2.dilate(piece, np.ones((31, 31), np.uint8)) - cv2.dilate(
        piece, np.ones((7, 7), np.uint8)
    )
    inside, around = np.sort(image[piece > 0]), np.sort(image[(ring > 0) & (image > 8)])
    levels = np.arange(256)
    distance = np.abs(
        np.searchsorted(inside, levels, "right") / len(inside)
        - np.searchsorted(around, levels, "right") / max(1, len(around))
    )
    return bool(distance.max() > 0.12)
