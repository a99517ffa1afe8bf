"""Batches of a few fixed sizes."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.errors import EngineError
from edge_daemon.inference.buckets import BUCKETS, bucket_for, check_valid, fill, span


@pytest.mark.parametrize(
    ("count", "bucket"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (6, 8), (7, 8), (8, 8)]
)
def test_the_smallest_size_that_holds_a_batch_is_taken(count: int, bucket: int) -> None:
    assert bucket_for(count, BUCKETS) == bucket


@pytest.mark.parametrize("count", [0, 9])
def test_no_strips_and_too_many_are_refused(count: int) -> None:
    with pytest.raises(EngineError, match=f"{count} strips were given; up to 8 are taken"):
        bucket_for(count, BUCKETS)


def test_strips_come_to_the_first_places_and_the_others_stay() -> None:
    places = np.full((3, 1, 256, 1600), 7, np.uint8)
    fill(places, [np.full((256, 1600), level, np.uint8) for level in (1, 2)])
    assert [int(place.min()) for place in places] == [1, 2, 7]
    assert [int(place.max()) for place in places] == [1, 2, 7]


@pytest.mark.parametrize("shape", [(1600,), (1, 1600), (256, 1), (1, 256, 1600), ()])
def test_an_array_that_numpy_would_stretch_to_a_strip_is_refused(shape: tuple[int, ...]) -> None:
    strip: NDArray[Any] = np.zeros(shape, np.uint8)
    with pytest.raises(EngineError, match="the network takes uint8"):
        fill(np.zeros((1, 1, 256, 1600), np.uint8), [strip])


def test_all_answers_good_pass() -> None:
    check_valid(np.array([9, 9], np.int32), 9)


@pytest.mark.parametrize("count", [8, 0, -1, 10])
def test_another_count_of_good_answers_is_refused(count: int) -> None:
    with pytest.raises(EngineError, match=f"strip 2 of 3 only {count} are a probability"):
        check_valid(np.array([9, count, 9], np.int32), 9)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (slice(None), (0, 5)),
        (slice(1, 3), (1, 3)),
        (slice(3, 99), (3, 5)),
        (slice(-1, None), (4, 5)),
        (slice(3, 1), (3, 3)),
    ],
)
def test_a_range_is_what_it_is_for_a_list(which: slice, expected: tuple[int, int]) -> None:
    assert span(which, 5) == expected


def test_a_range_with_gaps_is_refused() -> None:
    with pytest.raises(ValueError, match="has gaps"):
        span(slice(0, 5, 2), 5)
