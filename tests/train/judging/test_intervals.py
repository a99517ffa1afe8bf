"""Intervals cover what they should, and are what the textbooks print."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from train.judging.intervals import (
    Interval,
    as_they_are,
    bootstrap_interval,
    draw_again,
    wilson_interval,
)


def test_each_drawing_has_as_many_strips_as_the_set() -> None:
    weights = draw_again(7, resamples=50, seed=3)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert len({row.tobytes() for row in weights}) > 40


def test_the_same_seed_draws_the_same() -> None:
    assert np.array_equal(draw_again(9, resamples=5, seed=1), draw_again(9, resamples=5, seed=1))
    assert not np.array_equal(
        draw_again(9, resamples=5, seed=1), draw_again(9, resamples=5, seed=2)
    )


def test_the_bootstrap_of_a_mean_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    means = draw_again(400, resamples=4000, seed=0) @ values / 400
    interval = bootstrap_interval(means)
    assert interval is not None
    error = values.std() / np.sqrt(400)
    assert interval.low == pytest.approx(values.mean() - 1.96 * error, abs=0.1 * error)
    assert interval.high == pytest.approx(values.mean() + 1.96 * error, abs=0.1 * error)


def test_drawings_without_anything_to_measure_are_left_out() -> None:
    assert bootstrap_interval(np.array([np.nan, 2.0, 2.0])) == Interval(2.0, 2.0)
    assert bootstrap_interval(np.array([np.nan])) is None


def test_an_empty_set_has_no_drawing_with_strips() -> None:
    assert as_they_are(0).shape == (1, 0)
    assert draw_again(0, resamples=3, seed=0).shape == (3, 0)


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_what_newcombe_prints(count: int, of: int, low: float, high: float) -> None:
    interval = wilson_interval(count, of)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=5e-5)


def test_nothing_counted_has_no_interval() -> None:
    assert wilson_interval(0, 0) is None


@settings(derandomize=True, deadline=None)
@given(of=st.integers(1, 500), data=st.data())
def test_a_share_lies_inside_its_interval(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    interval = wilson_interval(count, of)
    assert interval is not None
    assert 0 <= interval.low <= count / of + 1e-12
    assert count / of - 1e-12 <= interval.high <= 1
