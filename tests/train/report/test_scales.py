import math

import pytest
from hypothesis import given, settings, strategies as st

from train.report.scales import scale_for, tick_text

FINITE = st.floats(-1e9, 1e9)


@settings(deadline=None, derandomize=True)
@given(values=st.lists(FINITE, min_size=1, max_size=20), is_log=st.booleans())
def test_every_value_lies_between_the_ends_and_larger_ones_further_along(
    *, values: list[float], is_log: bool
) -> None:
    values = [abs(v) + 1e-6 for v in values] if is_log else values
    scale = scale_for(values, 50, 400, is_log=is_log)
    places = [scale.place(value) for value in sorted(values)]
    assert all(50 <= place <= 400 for place in places)
    assert places == sorted(places)


@settings(deadline=None, derandomize=True)
@given(st.floats(-1e3, 1e3), st.floats(1e-2, 1e6))
def test_there_are_some_ticks_within_the_range_and_not_too_many(low: float, width: float) -> None:
    scale = scale_for([low, low + width], 0, 100)
    ticks = scale.ticks()
    assert 2 <= len(ticks) <= 9
    assert all(scale.low <= tick <= scale.high for tick in ticks)
    assert len({tick_text(tick) for tick in ticks}) >= 2


@settings(deadline=None, derandomize=True)
@given(st.floats(1e-3, 1e6), st.floats(1.0, 1e6))
def test_a_logarithmic_axis_has_a_readable_number_of_ticks(low: float, factor: float) -> None:
    ticks = scale_for([low, low * factor], 0, 100, is_log=True).ticks()
    assert 1 <= len(ticks) <= 14


def test_equal_factors_are_equally_long_on_a_logarithmic_axis() -> None:
    scale = scale_for([1, 100], 0, 100, is_log=True)
    assert scale.place(10) - scale.place(1) == pytest.approx(scale.place(100) - scale.place(10))


def test_an_end_that_was_asked_for_is_the_end() -> None:
    scale = scale_for([0.4, 0.9], 0, 100, low=0, high=1)
    assert (scale.low, scale.high) == (0, 1)
    assert scale_for([0.4, 1.5], 0, 100, high=1).high > 1.5


def test_values_that_are_none_change_nothing() -> None:
    with_them = scale_for([1, 2, math.nan, math.inf], 0, 100)
    assert with_them == scale_for([1, 2], 0, 100)
    assert scale_for([-1, 0, 10, 20], 0, 100, is_log=True).low > 0
    assert scale_for([], 0, 100).low < scale_for([], 0, 100).high


@pytest.mark.parametrize(
    ("value", "told"),
    [(0, "0"), (0.25, "0.25"), (2000, "2,000"), (1e-5, "1e-5"), (3.2e7, "3.2e7"), (-0.5, "-0.5")],
)
def test_ticks_are_told_shortly(value: float, told: str) -> None:
    assert tick_text(value) == told


def test_values_that_are_all_the_same_leave_an_end_that_was_asked_for_in_place() -> None:
    assert scale_for([0, 0], 0, 100, low=0).low == 0
    assert scale_for([0, 0], 0, 100, low=0).high > 0
    assert scale_for([1, 1], 0, 100, high=1).high == 1
