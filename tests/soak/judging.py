"""The verdict on a soak: the oracle's, and whether anything grew that must not.

A `kill -9` takes the memory with it, so what grows is judged within one life of the process, after
it has warmed up; the schedule leaves the first life alone so that it is long enough.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Final

from tests.faults.oracle import Coverage, Delivery
from tests.soak.sampling import Sample, between, percentile_s

_WARM_UP_SHARE: Final = 0.25
_WARM_UP_MOST_S: Final = 120.0
_FEWEST_SAMPLES: Final = 6
RSS_MIB, RSS_MIB_PER_H = 24.0, 12.0
"""Growth over a life that is allowed: caches and arenas once, and what a long run may take."""
MORE_FDS, MORE_THREADS = 8.0, 4.0
"""A connection that is just being replaced by the next has descriptors and threads of its own, and
several cameras and the broker may be at it at once; one left behind each time is soon more."""
SLOWER, SLOWER_S = 3.0, 0.5
"""A minute's latency may be so many times that of the first minutes, and so much on top."""
_MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Trend:
    """How one quantity went.

    Attributes:
        what: quantity and unit.
        first: at the beginning of the time judged.
        last: at its end, by the straight line through all samples.
        per_hour: slope of that line.
        limit: what `last - first` must not exceed.
        over_s: the time judged.
    """

    what: str
    first: float
    last: float
    per_hour: float
    limit: float
    over_s: float

    @property
    def is_within(self) -> bool:
        """Whether it stayed within its limit."""
        return self.last - self.first <= self.limit


@dataclass(frozen=True, slots=True)
class History:
    """All that a soak has left behind.

    Attributes:
        seconds: how long it took.
        samples: of the daemon, in order.
        delivery: the oracle's verdict on messages.
        coverage: and on rows, a camera each.
        faults: how often each was injected.
        frames: that cameras sent.
        starts_s: from each `kill -9` to /readyz.
        surprises: what the daemon did and shouldn't have: an end without a signal, an exit code.
    """

    seconds: float
    samples: Sequence[Sample]
    delivery: Delivery
    coverage: Sequence[Coverage]
    faults: Mapping[str, int] = field(default_factory=dict)
    frames: int = 0
    starts_s: Sequence[float] = ()
    surprises: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Minute:
    """Latency from arrival to verdict within one minute of one life, seconds."""

    number: int
    p50_s: float
    p99_s: float


def complaints(history: History) -> list[str]:
    """Everything that is wrong, in words; empty where the soak has passed."""
    found = [*history.surprises, *history.delivery.faults]
    for coverage in history.coverage:
        found += coverage.faults
    if history.delivery.waiting:
        found.append(f"{history.delivery.waiting} messages still wait after a stop in order")
    judged = trends(history.samples)
    if not judged:
        found.append("no life of the daemon was long enough to see whether it leaks")
    found += [
        f"{t.what} went from {t.first:.1f} to {t.last:.1f}, {t.limit:.1f} more is the limit"
        for t in judged
        if not t.is_within
    ]
    return found + _slower_minutes(minutes(history.samples))


def trends(samples: Sequence[Sample]) -> list[Trend]:
    """The trends within the longest life, warm-up left out; empty where none is long enough."""
    lives = [list(life) for _, life in groupby(samples, key=lambda sample: sample.life)]
    longest = max(lives, key=lambda life: life[-1].at_s - life[0].at_s, default=[])
    if not longest:
        return []
    length_s = longest[-1].at_s - longest[0].at_s
    from_s = longest[0].at_s + min(_WARM_UP_SHARE * length_s, _WARM_UP_MOST_S)
    warm = [sample for sample in longest if sample.at_s >= from_s]
    if len(warm) < _FEWEST_SAMPLES:
        return []
    hours = (warm[-1].at_s - warm[0].at_s) / 3600
    return [
        _trend("memory, MiB", warm, lambda s: s.rss_mib, RSS_MIB + RSS_MIB_PER_H * hours),
        _trend("descriptors", warm, lambda s: s.fds, MORE_FDS),
        _trend("threads", warm, lambda s: s.threads, MORE_THREADS),
    ]


def minutes(samples: Sequence[Sample]) -> list[Minute]:
    """Latency minute by minute, over all lives; a minute without frames is left out."""
    found = []
    for number, group in groupby(_steps(samples), key=lambda step: int(step[1].at_s // _MINUTE_S)):
        gained: dict[float, float] = {}
        for earlier, later in group:
            for le, count in between(earlier.latency, later.latency).items():
                gained[le] = gained.get(le, 0.0) + count
        p50_s, p99_s = percentile_s(gained, 0.5), percentile_s(gained, 0.99)
        if p50_s is not None and p99_s is not None:
            found.append(Minute(number, p50_s, p99_s))
    return found


def _steps(samples: Sequence[Sample]) -> Iterator[tuple[Sample, Sample]]:
    return ((a, b) for a, b in pairwise(samples) if a.life == b.life)


def _trend(
    what: str, samples: Sequence[Sample], value: Callable[[Sample], float], limit: float
) -> Trend:
    at_s = [sample.at_s for sample in samples]
    slope, offset = statistics.linear_regression(at_s, [value(sample) for sample in samples])
    return Trend(
        what,
        first=offset + slope * at_s[0],
        last=offset + slope * at_s[-1],
        per_hour=slope * 3600,
        limit=limit,
        over_s=at_s[-1] - at_s[0],
    )


def _slower_minutes(by_minute: Sequence[Minute]) -> list[str]:
    """Complain if the last third is slower than the first: the median minute of each."""
    third = len(by_minute) // 3
    if not third:
        return []
    first, last = by_minute[:third], by_minute[-third:]
    before_s = statistics.median(minute.p50_s for minute in first)
    after_s = statistics.median(minute.p50_s for minute in last)
    if after_s <= SLOWER * before_s + SLOWER_S:
        return []
    return [f"latency p50 went from {before_s:.2f} s to {after_s:.2f} s"]
