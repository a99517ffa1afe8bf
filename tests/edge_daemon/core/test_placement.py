"""Where a frame lies: the encoder before the row counter, and nothing that nobody knows."""

from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.placement import FARTHEST_MM, Place, Scale, place_frame
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat

SCALE = Scale(mm_per_px_along=0.5, mm_per_px_across=0.25, across_offset_mm=-10.0)


def header(**fields: Any) -> FrameHeader:  # noqa: ANN401 - whatever a header takes
    given_fields = {"seq": 4, "height": 100} | fields
    return FrameHeader(
        v=1,
        stream="s",
        t_ns=0,
        width=8,
        format=PixelFormat.MONO8,
        codec=Codec.RAW,
        **given_fields,
    )


def test_the_row_counter_gives_the_place() -> None:
    place = place_frame(header(), SCALE)
    assert (place.top_line, place.end_line) == (400, 500)
    assert (place.position_mm, place.end_mm) == (200.0, 250.0)
    assert place.row_mm(10) == 205.0
    assert place.row_mm(-10) == 195.0


def test_the_encoder_is_believed_before_the_row_counter() -> None:
    place = place_frame(header(encoder_mm=7000.0), SCALE)
    assert (place.top_line, place.position_mm, place.end_mm) == (400, 7000.0, 7050.0)


def test_an_encoder_at_zero_is_an_encoder() -> None:
    assert place_frame(header(encoder_mm=0.0), SCALE).position_mm == 0.0


def test_without_a_scale_only_the_encoder_knows_a_position() -> None:
    assert place_frame(header(), None) == Place(400, 100, None, None)
    place = place_frame(header(encoder_mm=7000.0), None)
    assert (place.position_mm, place.row_mm(0)) == (7000.0, 7000.0)
    assert (place.row_mm(1), place.end_mm, place.column_mm(3)) == (None, None, None)


def test_columns_are_counted_from_the_offset() -> None:
    place = place_frame(header(), SCALE)
    assert (place.column_mm(0), place.column_mm(8)) == (-10.0, -8.0)


@pytest.mark.parametrize("encoder_mm", [1e300, -1e13])
def test_an_encoder_beyond_every_strip_tells_no_position(encoder_mm: float) -> None:
    place = place_frame(header(encoder_mm=encoder_mm), SCALE)
    assert (place.position_mm, place.row_mm(3), place.end_mm) == (None, None, None)
    assert place.column_mm(0) == -10.0


@given(
    seq=st.integers(0, 2**43),
    encoder_mm=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    along=st.floats(1e-6, 1e6),
    row=st.integers(-(2**70), 2**70),
)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_no_position_lies_beyond_the_farthest(
    seq: int, encoder_mm: float | None, along: float, row: int
) -> None:
    place = place_frame(header(seq=seq, encoder_mm=encoder_mm), Scale(along, 1.0))
    known = (place.position_mm, place.end_mm, place.row_mm(row))
    assert all(mm is None or abs(mm) <= FARTHEST_MM for mm in known)
