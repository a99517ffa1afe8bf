"""Time, passed in: nothing that decides reads the system's clock by itself."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks that must not be mixed: one can be told to people, one can be subtracted."""

    def now_ns(self) -> int:
        """Return wall time in ns since 1970 UTC; may jump when the clock is set."""
        ...

    def monotonic_ns(self) -> int:
        """Return ns since some moment before; never goes back, means nothing by itself."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        """Return `CLOCK_REALTIME`."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return `CLOCK_MONOTONIC`, which goes on over a restart of the process, not of the box."""
        return time.monotonic_ns()


class ManualClock:
    """A clock that stands still until it is moved: for replay, whose times come from the input.

    Args:
        now_ns: wall time to begin with, ns since 1970 UTC.
        monotonic_ns: monotonic time to begin with.
    """

    def __init__(self, now_ns: int = 0, monotonic_ns: int = 0) -> None:
        self._now_ns = now_ns
        self._monotonic_ns = monotonic_ns

    def now_ns(self) -> int:
        """Return the wall time last set."""
        return self._now_ns

    def monotonic_ns(self) -> int:
        """Return the monotonic time reached."""
        return self._monotonic_ns

    def advance(self, by_ns: int) -> None:
        """Let both clocks run on by `by_ns`.

        Raises:
            ValueError: `by_ns` is negative.
        """
        if by_ns < 0:
            raise ValueError(f"a clock is advanced by {by_ns} ns; it can only be set back")
        self._now_ns += by_ns
        self._monotonic_ns += by_ns

    def set_now(self, now_ns: int) -> None:
        """Set the wall clock, in either direction; the monotonic one doesn't notice."""
        self._now_ns = now_ns
