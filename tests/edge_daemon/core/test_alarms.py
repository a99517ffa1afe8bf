from collections.abc import Iterable
from itertools import pairwise

from hypothesis import given, settings, strategies as st

from edge_daemon.core.alarms import THE_STATION, Alarm, AlarmRule, SavedAlarm
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import AlarmState

RULE = AlarmRule(on_delay_ns=20, off_delay_ns=50, interval_ns=100)
WALL_NS = 1_700_000_000_000_000_000


def observed(alarm: Alarm, steps: Iterable[tuple[int, bool]]) -> list[tuple[int, AlarmState]]:
    told = []
    for at_ns, condition in steps:
        seen = {THE_STATION: "dark"} if condition else {}
        alarm, state = alarm.observe(seen, now_ns=WALL_NS + at_ns * 1000, monotonic_ns=at_ns)
        if state is not None:
            told.append((at_ns, state))
    return told


def concerning(steps: Iterable[tuple[int, str]]) -> list[tuple[int, bool, int, str]]:
    """What is told when those of the letters are dark: when, whether active, count and text."""
    told, alarm = [], Alarm("blind", RULE)
    for at_ns, cameras in steps:
        seen = {camera: f"{camera} dark" for camera in cameras}
        alarm, state = alarm.observe(seen, now_ns=WALL_NS + at_ns, monotonic_ns=at_ns)
        if state is not None:
            told.append((at_ns, state.active, state.count, state.text))
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
    seen = {THE_STATION: "dark"}
    alarm, _ = Alarm("blind", RULE).observe(seen, now_ns=WALL_NS, monotonic_ns=0)
    _, state = alarm.observe(seen, now_ns=0, monotonic_ns=20)
    assert state is not None
    assert state.since == iso_utc(0)


def test_somebody_new_raises_an_active_alarm_again_after_a_delay_of_its_own() -> None:
    steps = [(at, "a" if at < 200 else "ab") for at in range(0, 500, 5)]
    assert concerning(steps) == [(20, True, 1, "a dark"), (220, True, 2, "b dark; a dark")]


def test_a_flicker_of_somebody_new_raises_nothing() -> None:
    steps = [(at, "ab" if at // 10 % 2 else "a") for at in range(0, 500, 5)]
    assert concerning(steps) == [(20, True, 1, "a dark")]


def test_whoever_leaves_an_active_alarm_is_told_of_but_not_counted() -> None:
    steps = [(at, "ab" if at < 200 else "b") for at in range(0, 500, 5)]
    assert concerning(steps) == [(20, True, 1, "a dark; b dark"), (250, True, 1, "b dark")]


def test_the_time_of_an_alarm_is_when_it_was_last_raised_not_when_somebody_left() -> None:
    alarm, since = Alarm("blind", RULE), []
    for at_ns in range(0, 600, 10):
        seen = dict.fromkeys("a" if at_ns < 200 else "ab" if at_ns < 400 else "b", "dark")
        now_ns = WALL_NS + at_ns * 1000
        alarm, state = alarm.observe(seen, now_ns=now_ns, monotonic_ns=at_ns)
        since += [] if state is None else [state.since]
    assert since == [iso_utc(WALL_NS + at_ns * 1000) for at_ns in (20, 220, 220)]


def test_those_who_come_within_the_interval_are_told_at_its_end() -> None:
    steps = [(at, "a" if at < 30 else "ab" if at < 60 else "abc") for at in range(0, 500, 5)]
    assert concerning(steps) == [(20, True, 1, "a dark"), (120, True, 3, "c dark; b dark; a dark")]


@given(st.lists(st.tuples(st.integers(0, 60), st.sets(st.sampled_from("abc"))), max_size=60))
@settings(deadline=None, derandomize=True)
def test_the_last_message_names_those_who_are_concerned_and_none_comes_early(
    steps: list[tuple[int, set[str]]],
) -> None:
    at_ns, timed = 0, []
    for wait_ns, cameras in steps:
        at_ns += wait_ns
        timed.append((at_ns, "".join(sorted(cameras))))
    told = concerning([*timed, *((at_ns + wait_ns, "bd") for wait_ns in range(1, 300, 7))])
    assert all(later[0] - earlier[0] >= RULE.interval_ns for earlier, later in pairwise(told))
    assert sorted(told[-1][3].split("; ")) == ["b dark", "d dark"]


def test_an_alarm_is_the_same_after_a_restart() -> None:
    alarm = Alarm("blind", RULE)
    for at_ns in (0, 20):
        alarm, _ = alarm.observe({"a": "a dark"}, now_ns=WALL_NS, monotonic_ns=at_ns)
    document = alarm.saved.model_dump_json()
    again = Alarm.restored(SavedAlarm.model_validate_json(document), RULE)
    assert (again.saved, again.reached) == (alarm.saved, alarm.reached)


def test_a_document_from_before_names_were_kept_is_an_active_alarm_until_the_off_delay() -> None:
    state = AlarmState(name="blind", active=True, since=iso_utc(WALL_NS), count=3, text="no a")
    saved = SavedAlarm.model_validate_json(state.model_dump_json())
    told = observed(Alarm.restored(saved, RULE), [(at, False) for at in range(0, 300, 5)])
    assert [(at, said.active, said.count, said.text) for at, said in told] == [
        (0, True, 3, "no a"),
        (100, False, 3, "no a"),
    ]


def test_of_names_without_end_only_the_last_are_saved() -> None:
    alarm = Alarm("blind", AlarmRule(on_delay_ns=0))
    for number in range(1, 301):
        seen = {str(each): "dark" for each in range(number)}
        alarm, _ = alarm.observe(seen, now_ns=WALL_NS, monotonic_ns=number)
    assert [*alarm.saved.concerned] == [str(number) for number in range(299, 43, -1)]
