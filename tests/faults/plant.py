"""The plant's side: a subscriber that remembers everything, and asks the oracle."""

import contextlib

from tests.conftest import PATIENCE_S, Recorder, wait_until
from tests.faults.evidence import Announced
from tests.faults.oracle import Delivery, judge_delivery
from tests.faults.station import StationProcess


class Plant(Recorder):
    """A recorder that knows when it listens again, and what it should have heard."""

    def __init__(self, port: int, topics: str) -> None:
        super().__init__(port, topics)
        self._subscriptions = 0
        self._returns_seen = 1
        self._client.on_subscribe = self._count

    def await_return(self) -> None:
        """Return when it has subscribed again since the last time this was asked."""
        self._returns_seen += 1
        wait_until(lambda: self._subscriptions >= self._returns_seen)

    def await_more(self, count: int) -> None:
        """Return when so many more messages have come."""
        heard = len(self.messages)
        wait_until(lambda: len(self.messages) >= heard + count)

    def hear_out(self, station: StationProcess, *, within_s: float = 300.0) -> Delivery:
        """Stop a station, let its next life tell all that waits, and ask the oracle."""
        assert station.stop() == 0
        station.start("--count", "1")
        last_seq = station.testimony().last_seq
        wait_until(lambda: len({m["id"] for m in self.durable()}) >= last_seq, within_s=within_s)
        assert station.stop() == 0
        return self.judge(station.testimony())

    def judge(self, announced: Announced, *, within_s: float = PATIENCE_S) -> Delivery:
        """Wait for what is on its way from the broker, then ask the oracle.

        What doesn't come in time is missing, and the verdict says so.
        """
        due = announced.last_seq - len(announced.waiting)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: len({m["id"] for m in self.durable()}) >= due, within_s=within_s)
        return judge_delivery(announced, self.durable())

    def _count(self, *_: object) -> None:
        self._subscriptions += 1
        self._subscribed.set()
