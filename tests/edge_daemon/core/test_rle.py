"""Run-length code: what is written is read back, and nonsense is refused with its reason."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.rle import Mask, RunLengthError, decode, encode


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    height, width = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    return np.array(bits, bool).reshape(height, width)


@settings(deadline=None, derandomize=True)
@given(masks())
def test_a_mask_comes_back_as_it_was(mask: Mask) -> None:
    height, width = mask.shape
    assert np.array_equal(decode(encode(mask), height=height, width=width), mask)


@settings(deadline=None, derandomize=True)
@given(masks())
def test_written_runs_ascend_and_never_touch(mask: Mask) -> None:
    numbers = [int(word) for word in encode(mask).split()]
    starts, lengths = numbers[::2], numbers[1::2]
    ends = [start + length for start, length in zip(starts, lengths, strict=True)]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    assert sum(lengths) == mask.sum()


def test_pixels_are_counted_down_the_columns_from_one() -> None:
    mask = np.zeros((4, 3), bool)
    mask[1:3, 0] = True
    mask[0, 2] = True
    assert encode(mask) == "2 2 9 1"


def test_a_run_goes_on_from_the_foot_of_a_column_to_the_head_of_the_next() -> None:
    mask = np.zeros((4, 3), bool)
    mask[3, 0] = mask[0, 1] = True
    assert encode(mask) == "4 2"


def test_an_empty_mask_is_the_empty_text() -> None:
    assert encode(np.zeros((256, 1600), bool)) == ""
    assert not decode("", height=256, width=1600).any()


def test_runs_may_touch() -> None:
    assert decode("1 2 3 1", height=4, width=1).ravel().tolist() == [True, True, True, False]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1", "pairs"),
        ("9223372036854775807 9223372036854775807", "far beyond"),
        ("-9223372036854775808 1", "far beyond"),
        ("1 2 3", "pairs"),
        ("one 2", "whole numbers"),
        ("1.0 2", "whole numbers"),
        (f"{10**30} 2", "whole numbers"),
        ("0 2", "starts before pixel 1"),
        ("1 0", "is empty"),
        ("3 -1", "is empty"),
        ("11 3", "ends past the last pixel, 12"),
        ("1 3 3 1", "overlaps or precedes"),
        ("5 2 1 2", "overlaps or precedes"),
    ],
)
def test_nonsense_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(RunLengthError, match=reason):
        decode(text, height=4, width=3)


def test_the_faulty_run_is_named() -> None:
    with pytest.raises(RunLengthError, match=r"run 2 \(3 1\)"):
        decode("1 3 3 1", height=4, width=3)
