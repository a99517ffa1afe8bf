"""When a condition becomes an alarm, and when it has passed.

A condition that flickers must not ring. It has to hold for `on_delay_ns` before the alarm is
raised and to be gone for `off_delay_ns` before it is cleared (on and off delay of ISA-18.2), and
however often that happens, no more than one message in `interval_ns` is made; what is then told
is the state reached by that time, and `count` says how often the alarm was raised meanwhile.
"""

from dataclasses import dataclass, replace

from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import AlarmState

_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """How patient an alarm is; all in ns of the monotonic clock, none negative."""

    on_delay_ns: int = 2 * _SECOND_NS
    off_delay_ns: int = 10 * _SECOND_NS
    interval_ns: int = 10 * _SECOND_NS


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm between two observations; `observe` gives the next.

    A new alarm has told nothing yet, so once its condition has been steady for the delay that
    belongs to it, the state is announced even if that is "not active": it replaces what an
    earlier run of the daemon may have left retained at the broker.

    Attributes:
        name: `[a-z0-9-]+`, the last level of the topic.
        rule: its delays.
        active: state after the delays; None before the first.
        count: how often it was raised.
        since_ns: wall time of the last change, ns since 1970 UTC.
        text: what was said when the condition was last seen.
        condition: what the last observation said; None before the first.
        condition_from_ns: monotonic time since which it has said so.
        told: `active` and `count` of the last message; None before the first.
        told_at_ns: monotonic time of that message.
    """

    name: str
    rule: AlarmRule = AlarmRule()
    active: bool | None = None
    count: int = 0
    since_ns: int = 0
    text: str = ""
    condition: bool | None = None
    condition_from_ns: int = 0
    told: tuple[bool, int] | None = None
    told_at_ns: int = 0

    def observe(
        self, *, condition: bool, text: str = "", now_ns: int, monotonic_ns: int
    ) -> tuple["Alarm", AlarmState | None]:
        """Take in whether the condition holds now.

        Has to be called now and then even if nothing changes: delays end only when somebody looks.

        Args:
            condition: whether what the alarm is about is the case.
            text: what and where, for a person; kept from the last time that the condition held.
            now_ns: wall time, for `since`.
            monotonic_ns: time for the delays.

        Returns:
            the alarm as it is now, and the message to announce, if there is one.
        """
        alarm = replace(self, text=text) if condition else self
        if condition is not self.condition:
            alarm = replace(alarm, condition=condition, condition_from_ns=monotonic_ns)
        return _tell(_settle(alarm, now_ns, monotonic_ns=monotonic_ns), monotonic_ns)


def _settle(alarm: Alarm, now_ns: int, *, monotonic_ns: int) -> Alarm:
    if alarm.condition is None or alarm.condition is alarm.active:
        return alarm
    delay_ns = alarm.rule.on_delay_ns if alarm.condition else alarm.rule.off_delay_ns
    if monotonic_ns - alarm.condition_from_ns < delay_ns:
        return alarm
    count = alarm.count + alarm.condition
    return replace(alarm, active=alarm.condition, count=count, since_ns=now_ns)


def _tell(alarm: Alarm, monotonic_ns: int) -> tuple[Alarm, AlarmState | None]:
    if alarm.active is None or alarm.told == (alarm.active, alarm.count):
        return alarm, None
    if alarm.told is not None and monotonic_ns - alarm.told_at_ns < alarm.rule.interval_ns:
        return alarm, None
    state = AlarmState(
        name=alarm.name,
        active=alarm.active,
        since=iso_utc(alarm.since_ns),
        count=alarm.count,
        text=alarm.text,
    )
    return replace(alarm, told=(alarm.active, alarm.count), told_at_ns=monotonic_ns), state
