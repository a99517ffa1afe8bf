"""What is left of the outbox when the power goes, at any write: all that was announced."""

import itertools
import json
import random
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import Outbox
from tests.faults.powercut import Disk, LikeStdlib, PowerLostError

# SQLite goes on calling after the first error, and with the power gone each call fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

_NAMES = (f"disk-{number}" for number in itertools.count())


def facts(chance: random.Random) -> list[Announcement]:
    line = chance.randrange(1000)
    body = CoverageEvent(
        camera="a",
        stream="s" * chance.choice([1, 300, 4000]),
        reason="lost",
        from_line=line,
        to_line=line + 1,
        lines=1,
    )
    return [Announcement(body)] * chance.randrange(4)


class Life:
    """A station on a disk whose power is cut again and again; `lost` says what that cost."""

    def __init__(self, folder: Path, seed: int, synchronous: str | None) -> None:
        self.lost: list[str] = []
        self._path = folder / "outbox.sqlite3"
        self._disk = Disk(next(_NAMES))
        self._chance = random.Random(seed)  # noqa: S311 - a test that repeats
        self._synchronous = synchronous
        self._pending: dict[int, bytes] = {}
        self._mark = self._seq = 0

    def connect(self, path: Path, *, read_only: bool = False) -> Any:  # noqa: ANN401 - looks like a connection
        del read_only  # SQLite can't look at a log without writing through a VFS in Python
        return LikeStdlib(path, self._disk, synchronous=self._synchronous)

    def outbox(self) -> Outbox:
        return Outbox(self._path, SystemClock(), max_bytes=1 << 22, connector=self.connect)

    def live(self) -> None:
        """Work until the power goes, switch it on again, and look."""
        self._disk.left = self._chance.randrange(3, 400)
        outbox = self.outbox()
        with suppress(PowerLostError, StoreError, sqlite3.Error):
            self._work(outbox)
        abandoned = outbox._store._connection  # noqa: SLF001 - nobody closes it when the power goes
        self._disk.cut(self._chance)
        if abandoned is not None:
            self._disk.left = 0
            with suppress(PowerLostError, sqlite3.Error):
                abandoned.close()
        self._disk.left = None
        self._disk.media.clear()

    def _work(self, outbox: Outbox) -> None:
        with_power = outbox.__enter__()
        while True:
            mark = self._mark + 1
            stored = with_power.commit(facts(self._chance), {"mark": str(mark), "x": "y" * 900})
            self._mark = mark
            self._pending |= {m.seq: m.payload for m in stored}
            self._seq = with_power.last_seq
            if self._chance.random() < 0.5:
                confirmed = self._chance.sample(sorted(self._pending), len(self._pending) // 2)
                for seq in confirmed:
                    del self._pending[seq]
                with_power.settle(confirmed, confirmed_ns=1)
            if self._chance.random() < 0.1:
                with_power.forget_confirmed()

    def look(self) -> None:
        """Open what is left, and hold it against what was announced."""
        before = self._path.read_bytes() if self._path.exists() else b""
        with self.outbox() as outbox:
            if outbox.recovery is not None:
                self.lost.append(f"unusable: {outbox.recovery}, {len(before)} bytes")
            found = {m.seq: m.payload for m in outbox.pending(after_seq=0, limit=1 << 30)}
            mark = int(outbox.state().get("mark", "0"))
            if any(found.get(seq) != payload for seq, payload in self._pending.items()):
                self.lost.append(f"{len(self._pending.keys() - found.keys())} messages")
            if not self._seq <= outbox.last_seq <= self._seq + 3:
                self.lost.append(f"seq {outbox.last_seq} after {self._seq}")
            if mark not in {self._mark, self._mark + 1}:
                self.lost.append(f"mark {mark} after {self._mark}")
            if outbox.last_seq > self._seq and mark == self._mark:
                self.lost.append("messages without the state that belongs to them")
            numbers = {json.loads(payload)["seq"] for payload in found.values()}
            if numbers != found.keys():
                self.lost.append("a row that is not its message's")
            self._pending, self._seq, self._mark = dict(found), outbox.last_seq, mark


def losses(folder: Path, *, cuts: int, synchronous: str | None = None) -> list[str]:
    lost: list[str] = []
    for seed in range(max(1, cuts // 25)):
        place = folder / str(seed)
        place.mkdir()
        life = Life(place, seed, synchronous)
        for _ in range(min(25, cuts)):
            life.live()
            life.look()
        lost += life.lost
    return lost


def test_nothing_announced_is_lost_in_500_power_cuts(tmp_path: Path) -> None:
    assert losses(tmp_path, cuts=500) == []


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_announced_is_lost_in_5000_power_cuts(tmp_path: Path) -> None:
    assert losses(tmp_path, cuts=5000) == []


@pytest.mark.parametrize("synchronous", ["NORMAL", "OFF"])
def test_with_less_than_full_synchronisation_the_same_cuts_lose_messages(
    tmp_path: Path, synchronous: str
) -> None:
    assert losses(tmp_path, cuts=100, synchronous=synchronous) != []


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL])
def test_a_disk_that_fails_for_a_while_costs_no_message_and_no_restart(
    tmp_path: Path, code: int
) -> None:
    disk = Disk(next(_NAMES))

    def connector(path: Path, *, read_only: bool = False) -> Any:  # noqa: ANN401 - looks like one
        del read_only
        return LikeStdlib(path, disk)

    body = CoverageEvent(camera="a", stream="s", reason="lost", from_line=0, to_line=1, lines=1)
    with Outbox(tmp_path / "o.db", SystemClock(), connector=connector) as outbox:
        outbox.commit([Announcement(body)] * 3, {"mark": "1"})
        disk.failing = code
        for _ in range(3):
            with pytest.raises(StoreError):
                outbox.commit([Announcement(body)] * 2, {"mark": "2"})
        disk.failing = None
        stored = outbox.commit([Announcement(body)] * 2, {"mark": "2"})
        assert [message.seq for message in stored] == [4, 5]
        assert [m.seq for m in outbox.pending(after_seq=0, limit=9)] == [1, 2, 3, 4, 5]
        assert outbox.state() == {"mark": "2"}
        assert outbox.recovery is None
