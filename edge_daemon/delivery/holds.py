"""Topics of which nothing is sent for a while, since the broker refused the last message."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge_daemon.delivery.backoff import Backoff

EVERYTHING: Final = ""


@dataclass(slots=True)
class _Hold:
    backoff: Backoff
    until_ns: int | None = None


class Holds:
    """Who has to wait, until when; the wait grows until a message of the topic gets through.

    After the wait a topic is on probation: were a whole window sent, and the broker to change its
    mind in the middle, the later messages would overtake the earlier.

    Args:
        first_s: about the first wait.
        most_s: about the longest.
    """

    def __init__(self, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._holds: dict[str, _Hold] = {}

    @property
    def held(self) -> list[str]:
        """The topics that wait; `EVERYTHING` among them where all do."""
        return [topic for topic, hold in self._holds.items() if hold.until_ns is not None]

    @property
    def probing(self) -> list[str]:
        """The topics that have waited and now try with one message at a time."""
        return [topic for topic, hold in self._holds.items() if hold.until_ns is None]

    def hold(self, topic: str, now_ns: int) -> bool:
        """Let a topic, or `EVERYTHING`, wait; return whether it didn't wait already.

        A whole window of messages may be refused at once; only the first makes the wait longer.
        """
        hold = self._holds.setdefault(topic, _Hold(Backoff(self._first_s, self._most_s)))
        if hold.until_ns is not None:
            return False
        hold.until_ns = now_ns + hold.backoff.next_ns()
        return True

    def release(self, now_ns: int) -> bool:
        """Let those try again whose time has come; return whether there was one."""
        due = [h for h in self._holds.values() if h.until_ns is not None and h.until_ns <= now_ns]
        for hold in due:
            hold.until_ns = None
        return bool(due)

    def forget(self, topic: str) -> bool:
        """A message of the topic got through; return whether that ended a probation."""
        passed = [key for key in (topic, EVERYTHING) if key in self.probing]
        for key in passed:
            del self._holds[key]
        return bool(passed)

    def due_ns(self) -> Iterable[int]:
        """Return when each of the waits ends."""
        return [hold.until_ns for hold in self._holds.values() if hold.until_ns is not None]
