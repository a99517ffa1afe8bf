"""A set of strips: what is on it, and picking from it without copying."""

import numpy as np
import pytest

from train.data.strips import DataError, StripSet


@pytest.fixture
def strips() -> StripSet:
    """Make three strips of different sizes: clean, class 2, classes 1 and 3."""
    sizes = [(32, 64), (40, 50), (8, 9)]
    classes = [np.zeros(size, np.uint8) for size in sizes]
    classes[1][3, :7] = 2
    classes[2][0, :2], classes[2][1, :3] = 1, 3
    images = tuple(np.full(size, 90, np.uint8) for size in sizes)
    return StripSet(("a", "b", "c"), images, tuple(classes), 3, frozenset({"b"}))


def test_presence_and_areas_are_counted_by_class(strips: StripSet) -> None:
    assert strips.areas_px().tolist() == [[0, 0, 0], [0, 7, 0], [2, 0, 3]]
    assert strips.presence().sum() == 3


def test_an_empty_set_has_a_presence_of_no_rows() -> None:
    assert StripSet((), (), (), 5).presence().shape == (0, 5)


def test_strips_are_found_by_name_in_any_order_without_a_copy(strips: StripSet) -> None:
    named = strips.named(["c", "a"])
    assert named.names == ("c", "a")
    assert named.images[0] is strips.images[2]
    assert named.classes[1] is strips.classes[0]
    assert named.class_count == 3
    assert named.suspects == {"b"}


def test_a_missing_name_is_refused(strips: StripSet) -> None:
    with pytest.raises(DataError, match=r"1 strips are not in the data, first other\.jpg"):
        strips.named(["a", "other.jpg"])


def test_all_sizes_are_told(strips: StripSet) -> None:
    assert strips.sizes_hw() == {(32, 64), (40, 50), (8, 9)}
