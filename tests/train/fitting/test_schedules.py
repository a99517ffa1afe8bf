"""Rates rise, stay and fall as they are told to."""

from itertools import pairwise

import pytest

from train.config import OptimConfig
from train.fitting.schedules import Schedule


def rates(optim: OptimConfig) -> list[float]:
    schedule = Schedule(optim)
    return [schedule.rate_at(step) for step in range(optim.steps + 1)]


def test_a_cosine_rises_stays_and_falls_to_zero() -> None:
    all_rates = rates(OptimConfig(steps=100, warmup_steps=10, flat_share=0.5))
    assert all_rates[0] == pytest.approx(0.1)
    assert all_rates[9:50] == [1.0] * 41
    assert all(a >= b for a, b in pairwise(all_rates[49:]))
    assert all_rates[75] == pytest.approx(0.5)
    assert all_rates[100] == pytest.approx(0)


def test_a_constant_rate_only_warms_up() -> None:
    assert rates(OptimConfig(steps=4, warmup_steps=2, schedule="constant")) == [0.5, 1, 1, 1, 1]


def test_without_warm_up_the_first_step_is_a_whole_one() -> None:
    assert rates(OptimConfig(steps=2, warmup_steps=0, schedule="constant")) == [1, 1, 1]


PLATEAU = OptimConfig(
    steps=100, warmup_steps=10, schedule="plateau", plateau_patience=2, plateau_factor=0.1
)


def test_a_plateau_cuts_the_rate_when_patience_is_at_an_end() -> None:
    schedule = Schedule(PLATEAU)
    seen = []
    for figure in (0.5, 0.4, 0.6, 0.6, 0.5, 0.5, 0.5):
        schedule.validated(figure, step=50)
        seen.append(schedule.rate_at(50))
    assert seen == pytest.approx([1, 1, 1, 1, 0.1, 0.1, 0.01])


def test_validations_in_the_warm_up_do_not_count() -> None:
    schedule = Schedule(PLATEAU)
    for figure in (0.9, 0.1, 0.1, 0.1):
        schedule.validated(figure, step=9)
    schedule.validated(0.2, step=10)
    assert (schedule.best, schedule.cuts, schedule.waited) == (0.2, 0, 0)


def test_a_plateau_goes_on_from_where_it_was() -> None:
    first, second = Schedule(PLATEAU), Schedule(PLATEAU)
    for figure in (0.5, 0.4, 0.4, 0.4):
        first.validated(figure, step=20)
    second.load_state_dict(first.state_dict())
    for schedule in (first, second):
        schedule.validated(0.3, step=20)
    assert second == first
    assert second.cuts == 2
