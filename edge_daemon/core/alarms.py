"""When a condition becomes an alarm, whom it concerns, and when it has passed.

A condition that flickers must not ring. It has to hold for `on_delay_ns` before the alarm is
raised and to be gone for `off_delay_ns` before it is cleared (on and off delay of ISA-18.2), and
however often that happens, no more than one message in `interval_ns` is made; what is then told
is the state reached by that time, and `count` says how often the alarm was raised meanwhile.

An alarm may concern several, each with delays of its own. Whoever joins those whom an active alarm
concerns raises it again: otherwise the first camera that dies would hide the death of the next.
Whoever leaves them is told of, without raising anything. An alarm of the station as a whole
concerns just `THE_STATION`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from pydantic import BaseModel, ConfigDict

from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import AlarmState
from edge_daemon.core.quantities import AlarmName, Count, Text, UtcTime

THE_STATION: Final = ""
"""Whom an alarm concerns that isn't about cameras."""
_LONGEST_TEXT: Final = 500
_MOST_SAVED: Final = 256
"""So many of those concerned, the last to come first: strangers may come up with ever new names."""
_SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """How patient an alarm is; all in ns of the monotonic clock, none negative."""

    on_delay_ns: int = 2 * _SECOND_NS
    off_delay_ns: int = 10 * _SECOND_NS
    interval_ns: int = 10 * _SECOND_NS


class SavedAlarm(BaseModel):
    """An alarm as it outlives the process: what was reached, be it told yet or not.

    Attributes:
        concerned: who, and what is said of them. Documents from before it was kept are without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: AlarmName
    active: bool
    since: UtcTime
    count: Count
    text: Text
    concerned: Mapping[str, str] = {}


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
        since_ns: wall time when it was last raised or cleared, ns since 1970 UTC.
        text: what was said of those concerned, when there last were any.
        concerned: who after the delays, the last to come first, and what was last said of them.
        wavering: monotonic time since which somebody should be concerned and isn't, or the reverse.
        calm_from_ns: monotonic time when somebody was last seen, at first of the first look.
        told: `reached` as of the last message; None before the first.
        told_at_ns: monotonic time of that message.
    """

    name: str
    rule: AlarmRule = AlarmRule()
    active: bool | None = None
    count: int = 0
    since_ns: int = 0
    text: str = ""
    concerned: Mapping[str, str] = field(default_factory=dict)
    wavering: Mapping[str, int] = field(default_factory=dict)
    calm_from_ns: int | None = None
    told: tuple[bool | None, int, frozenset[str]] | None = None
    told_at_ns: int = 0

    @classmethod
    def restored(cls, saved: SavedAlarm, rule: AlarmRule) -> "Alarm":
        """As it was before a restart: whoever is not seen again is concerned for the off delay."""
        concerned = saved.concerned or {THE_STATION: saved.text}
        since = datetime.fromisoformat(saved.since) - _EPOCH
        return cls(
            saved.name,
            rule,
            active=saved.active,
            count=saved.count,
            since_ns=since // timedelta(microseconds=1) * 1000,
            text=saved.text,
            concerned=concerned if saved.active else {},
        )

    @property
    def reached(self) -> tuple[bool | None, int, frozenset[str]]:
        """What is worth a message when it changes: state, count and who is concerned."""
        return self.active, self.count, frozenset(self.concerned)

    @property
    def state(self) -> AlarmState:
        """What a message says of it."""
        return AlarmState(
            name=self.name,
            active=bool(self.active),
            since=iso_utc(self.since_ns),
            count=self.count,
            text=self.text,
        )

    @property
    def saved(self) -> SavedAlarm:
        """What has to outlive the process."""
        concerned = dict(islice(self.concerned.items(), _MOST_SAVED))
        return SavedAlarm(**self.state.model_dump(), concerned=concerned)

    def observe(
        self, seen: Mapping[str, str], *, now_ns: int, monotonic_ns: int
    ) -> tuple["Alarm", AlarmState | None]:
        """Take in of whom the condition holds now.

        Has to be called now and then even if nothing changes: delays end only when somebody looks.

        Args:
            seen: of whom, and what is to be said of it to a person; empty where all is well.
            now_ns: wall time, for `since`.
            monotonic_ns: time for the delays.

        Returns:
            the alarm as it is now, and the message to announce, if there is one.
        """
        alarm = self._settle(seen, now_ns, monotonic_ns=monotonic_ns)
        if alarm.active is None or alarm.told == alarm.reached:
            return alarm, None
        if alarm.told is not None and monotonic_ns - alarm.told_at_ns < alarm.rule.interval_ns:
            return alarm, None
        return replace(alarm, told=alarm.reached, told_at_ns=monotonic_ns), alarm.state

    def _settle(self, seen: Mapping[str, str], now_ns: int, *, monotonic_ns: int) -> "Alarm":
        wavering = {
            who: self.wavering.get(who, monotonic_ns) for who in seen.keys() ^ self.concerned.keys()
        }
        held_ns = {who: monotonic_ns - from_ns for who, from_ns in wavering.items()}
        joining = {
            who: text
            for who, text in seen.items()
            if who in held_ns and held_ns[who] >= self.rule.on_delay_ns
        }
        staying = {
            who: seen.get(who, text)
            for who, text in self.concerned.items()
            if who in seen or held_ns[who] < self.rule.off_delay_ns
        }
        concerned = joining | staying
        calm_from_ns = monotonic_ns if seen or self.calm_from_ns is None else self.calm_from_ns
        calm = self.active is not None or monotonic_ns - calm_from_ns >= self.rule.off_delay_ns
        active = bool(concerned) if concerned or calm else None
        return replace(
            self,
            active=active,
            count=self.count + bool(joining),
            since_ns=now_ns if joining or active is not self.active else self.since_ns,
            text="; ".join(concerned.values())[:_LONGEST_TEXT] if concerned else self.text,
            concerned=concerned,
            wavering={who: wavering[who] for who in seen.keys() ^ concerned.keys()},
            calm_from_ns=calm_from_ns,
        )
