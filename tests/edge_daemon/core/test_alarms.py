from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings, strategies as st

from edge_daemon.core.alarms import Alarm, AlarmRule
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import AlarmState

RULE = AlarmRule(on_delay_ns=20, off_delay_ns=50, interval_ns=100)
WALL_NS = 1_700_000_000_000_000_000


def observed(alarm: Alarm, steps: Iterable[tuple[int, bool]]) -> list[tuple[int, AlarmState]]:
    told = []
    for at_ns, condition in steps:
        alarm, state = alarm.observe(
            condition=condition, text="dark", now_ns=WALL_NS + at_ns * 1000, monotonic_ns=at_ns
        )
        if state is not None:
            told.append((at_ns, state))
    return told


def test_an_alarm_is_raised_only_after_its_condition_held_for_the_delay() -> None:
    steps = [(0, True), (19, True), (20, True), (21, True)]
    [(at_ns, state)] = observed(Alarm("blind", RULE), steps)
    assert at_ns == 20
    assert state == AlarmState(
        name="blind", active=True, since=iso_utc(WALL_NS + 20_000), count=1, text="dark"
    )


def test_a_flicker_shorter_than_the_delay_raises_nothing() -> None:
    steps = [(at, at // 10 % 2 == 0) for at in range(0, 1000, 5)]
    assert observed(Alarm("blind", RULE), steps) == []


def test_it_is_cleared_only_after_the_condition_was_gone_for_the_off_delay() -> None:
    steps = [(0, True), (20, True), (130, False), (179, False), (180, False)]
    assert [(at, state.active) for at, state in observed(Alarm("blind", RULE), steps)] == [
        (20, True),
        (180, False),
    ]


def test_a_steady_calm_is_told_once_so_that_a_stale_retained_alarm_goes() -> None:
    steps = [(at, False) for at in range(0, 1000, 10)]
    [(at_ns, state)] = observed(Alarm("blind", RULE), steps)
    assert (at_ns, state.active, state.count) == (50, False, 0)


def test_what_happens_within_the_interval_is_told_at_its_end_with_the_count() -> None:
    steps = [(at, not 30 <= at % 90 < 85) for at in range(0, 1000, 5)]
    told = observed(Alarm("blind", RULE), steps)
    assert all(later - earlier >= 100 for (earlier, _), (later, _) in pairwise(told))
    assert told[-1][1].count > len(told)


@given(st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=60))
@settings(deadline=None, derandomize=True)
def test_the_last_word_is_always_the_state_once_things_are_calm(
    steps: list[tuple[int, bool]],
) -> None:
    at_ns, timed = 0, []
    for wait_ns, condition in steps:
        at_ns += wait_ns
        timed.append((at_ns, condition))
    calm = [(at_ns + wait_ns, False) for wait_ns in range(1, 300, 7)]
    told = observed(Alarm("blind", RULE), [*timed, *calm])
    assert told[-1][1].active is False


def test_a_wall_clock_set_back_does_not_disturb_the_delays() -> None:
    alarm, _ = Alarm("blind", RULE).observe(condition=True, now_ns=WALL_NS, monotonic_ns=0)
    _, state = alarm.observe(condition=True, now_ns=0, monotonic_ns=20)
    assert state is not None
    assert state.since == iso_utc(0)
