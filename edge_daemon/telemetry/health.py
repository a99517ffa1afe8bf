"""Is the process alive, is it ready: what /livez, /readyz and the watchdog go by.

*Live*: every worker has beaten its heart within its own time. A process that isn't has to be
killed and started again, so nothing outside the process (broker, cameras) may be a worker's excuse.
*Ready*: live, and every condition holds. A process that isn't says why; a restart wouldn't help.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edge_daemon.clock import Clock


@dataclass(frozen=True, slots=True)
class Report:
    """The answer to one question about health.

    Attributes:
        ok: True when there is nothing to complain of.
        reasons: what is wrong, by name of the worker or condition; empty when ok.
        notes: what else an operator wants to know, by subject; nothing wrong.
    """

    ok: bool
    reasons: Mapping[str, str]
    notes: Mapping[str, str] = field(default_factory=dict)


class Heart:
    """The sign of life of one worker; made by `Health.worker`."""

    def __init__(self, stall_after_s: float, clock: Clock) -> None:
        self._stall_after_s = stall_after_s
        self._clock = clock
        self._beaten_ns = clock.monotonic_ns()
        self._hindrance: str | None = None
        self._retired = False

    def beat(self) -> None:
        """Say "still going round"; call once per turn, also in turns without work."""
        self._beaten_ns = self._clock.monotonic_ns()  # one reference, replaced whole: needs no lock
        self._hindrance = None

    def stand_still(self, hindrance: str) -> None:
        """Say what the worker waits for in vain: it counts as stalled until it beats again."""
        self._hindrance = hindrance

    def retire(self) -> None:
        """Leave for good: a worker that has ended in order is no longer missed."""
        self._retired = True

    @property
    def retired(self) -> bool:
        """Whether the worker has ended in order."""
        return self._retired

    def complaint(self) -> str | None:
        """Say what it waits for, or how long it has stood still; None while that is allowed."""
        hindrance = self._hindrance
        silent_s = (self._clock.monotonic_ns() - self._beaten_ns) / 1e9
        if self._retired:
            return None
        if hindrance is not None or silent_s <= self._stall_after_s:
            return hindrance
        return f"no sign of life for {silent_s:.1f} s, {self._stall_after_s:g} s are allowed"


class Condition:
    """One thing that has to hold before the daemon counts as ready; made by `Health.condition`."""

    def __init__(self) -> None:
        self._complaint: str | None = "not known yet"

    def ok(self) -> None:
        """State that it holds."""
        self._complaint = None

    def not_ok(self, reason: str) -> None:
        """State that it doesn't hold, and why, in words for the operator."""
        self._complaint = reason

    def complaint(self) -> str | None:
        """Say why it doesn't hold, or None when it does."""
        return self._complaint


class Health:
    """Collects hearts and conditions from all threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hearts: dict[str, Heart] = {}
        self._conditions: dict[str, Condition] = {}
        self._notes: dict[str, str] = {}
        self._lock = threading.Lock()  # guards both dicts while one is added and another reads

    def worker(self, name: str, stall_after_s: float) -> Heart:
        """Register a worker; its time runs from now.

        Args:
            name: as it shall stand in reports.
            stall_after_s: longest time between two beats of a healthy worker, its longest
                piece of work included.

        Raises:
            ValueError: a worker of this name is registered and hasn't retired.
        """
        with self._lock:
            former = self._hearts.get(name)
            if former is not None and not former.retired:
                raise ValueError(f"worker {name!r} is already registered; retire() it first")
            heart = self._hearts[name] = Heart(stall_after_s, self._clock)
        return heart

    def condition(self, name: str) -> Condition:
        """Return the condition of this name; a new one doesn't hold until it is said to."""
        with self._lock:
            return self._conditions.setdefault(name, Condition())

    def note(self, subject: str, text: str) -> None:
        """Leave a note beside the answer to whether the daemon is ready, in place of the last."""
        with self._lock:
            self._notes[subject] = text

    def live(self) -> Report:
        """Report the workers that stand still."""
        with self._lock:
            hearts = tuple(self._hearts.items())
        return _report({name: heart.complaint() for name, heart in hearts})

    def ready(self) -> Report:
        """Report the workers that stand still and the conditions that don't hold.

        Before the first condition is named the daemon is starting, not ready.
        """
        with self._lock:
            conditions, notes = tuple(self._conditions.items()), dict(self._notes)
        if not conditions:
            return _report({"daemon": "starting"})
        complaints = {name: condition.complaint() for name, condition in conditions}
        return replace(_report({**complaints, **self.live().reasons}), notes=notes)


def _report(complaints: Mapping[str, str | None]) -> Report:
    reasons = {name: reason for name, reason in complaints.items() if reason is not None}
    return Report(ok=not reasons, reasons=reasons)
