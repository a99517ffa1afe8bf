"""Damage of every kind done to a real outbox, and what is left of it afterwards."""

import json
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.clock import ManualClock, SystemClock
from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import AlarmState
from edge_daemon.storage.mark import mark_path, read_mark
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.bodies import defect_event, stretch

MESSAGES = 120
PAGE = 4096
DOCUMENT = "d" * 9000

# As a killed daemon leaves it: the newest bookings only in the log.
KILLED = """
import os, sys
from pathlib import Path
from edge_daemon.clock import SystemClock
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.storage.test_salvage import facts
outbox = Outbox(Path(sys.argv[1]), SystemClock()).__enter__()
for line in range(60, 120):
    outbox.commit([facts(line)], {"mark": str(line + 1)})
os._exit(1)
"""


def facts(line: int) -> Announcement:
    if line % 5 == 0:
        return Announcement(
            AlarmState(name="blind", active=True, since=iso_utc(0), count=1, text="")
        )
    if line % 7 == 0:
        name = "s" * (4000 if line % 3 == 0 else 10)
        return Announcement(defect_event(defect_id=f"d{line}", stream=name))
    return stretch(line)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the files of a daemon that was killed: 120 messages, half of them only in the log."""
    path = tmp_path_factory.mktemp("killed") / "o.db"
    with Outbox(path, SystemClock()) as outbox:
        for line in range(60):
            outbox.commit([facts(line)], {"mark": str(line + 1), "long": DOCUMENT})
    subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert path.with_name("o.db-wal").stat().st_size > 60 * PAGE
    return path


@pytest.fixture
def path(killed: Path, tmp_path: Path) -> Path:
    for file in killed.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / "o.db"


@pytest.fixture
def closed(path: Path) -> Path:
    """Make the file of a daemon that stopped in order: everything is in it, there is no log."""
    with Outbox(path, SystemClock()):
        pass
    assert not log_of(path).exists()
    return path


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


class Left:
    """What an outbox holds after it was damaged and opened."""

    def __init__(self, path: Path) -> None:
        before = sorted(f.read_bytes() for f in (path, log_of(path)) if f.exists())
        with Outbox(path, SystemClock()) as outbox:
            self.recovery = outbox.recovery
            self.last_seq = outbox.last_seq
            self.state = outbox.state()
            self.messages = {m.seq: m for m in outbox.pending(after_seq=0, limit=10_000)}
            [new] = outbox.commit([stretch()], {})
        assert new.seq == self.last_seq + 1
        with Outbox(path, SystemClock()) as outbox:
            assert outbox.recovery is None
        if self.recovery is not None:
            kept = sorted(f.read_bytes() for f in path.parent.glob("*.corrupt-*"))
            assert kept == before, "what was damaged is kept as it was"

    @property
    def saved(self) -> set[int]:
        return {seq for seq in self.messages if seq <= MESSAGES}

    @property
    def account(self) -> dict[str, Any]:
        return dict(json.loads(self.messages[self.last_seq].payload))


def test_an_undamaged_one_needs_no_salvage(path: Path) -> None:
    left = Left(path)
    assert left.recovery is None
    assert left.saved == set(range(1, MESSAGES + 1))


def test_every_message_comes_out_of_a_file_whose_header_is_gone(closed: Path) -> None:
    with closed.open("r+b") as file:
        file.write(bytes(100))
    original = {line + 1: facts(line).topic for line in range(MESSAGES)}
    left = Left(closed)
    assert left.recovery is not None
    assert left.recovery.seq_is_known
    assert {seq: left.messages[seq].topic for seq in left.saved} == original
    assert left.last_seq == MESSAGES + 1
    assert left.state == {"mark": "120", "long": DOCUMENT}
    assert left.account["schema"] == "edge-daemon/loss/v1"
    assert (left.account["saved"], left.account["count"]) == (MESSAGES, 0)


def test_a_header_that_says_another_version_costs_nothing(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    left = Left(path)
    assert left.recovery is not None
    assert "newer" in left.recovery.reason
    assert left.saved == set(range(1, MESSAGES + 1))
    assert left.state["mark"] == "120"


def lose_log(path: Path) -> None:
    log_of(path).unlink()


def empty_log(path: Path) -> None:
    log_of(path).write_bytes(b"")


def halve_log(path: Path) -> None:
    frames = (log_of(path).stat().st_size - 32) // (PAGE + 24)
    with log_of(path).open("r+b") as file:
        file.truncate(32 + frames // 2 * (PAGE + 24))


@pytest.mark.parametrize("damage", [lose_log, empty_log, halve_log])
def test_a_log_that_is_missing_is_noticed_though_sqlite_finds_nothing_wrong(
    path: Path, damage: Callable[[Path], None]
) -> None:
    damage(path)
    left = Left(path)
    assert left.recovery is not None
    assert not left.recovery.seq_is_known
    assert left.saved >= set(range(1, 61))
    assert left.last_seq > MESSAGES
    assert left.account["last_seq"] == left.last_seq - 1
    assert left.account["count"] == left.last_seq - 1 - len(left.saved)


def test_one_bad_page_in_the_log_costs_no_more_than_what_was_on_it(path: Path) -> None:
    content = bytearray(log_of(path).read_bytes())
    content[32 + 20 * (PAGE + 24) + 24 + 2000] ^= 0x10
    log_of(path).write_bytes(content)
    left = Left(path)
    assert left.recovery is not None
    assert len(left.saved) >= MESSAGES - 12
    assert left.last_seq >= MESSAGES + 1


@pytest.mark.parametrize("remove_mark", [False, True])
def test_a_database_that_is_gone_is_missed_if_its_mark_is_there(
    path: Path, *, remove_mark: bool
) -> None:
    path.write_bytes(b"")
    log_of(path).unlink()
    if remove_mark:
        mark_path(path).unlink()
        with Outbox(path, SystemClock()) as outbox:
            assert outbox.last_seq == 0
        return
    left = Left(path)
    assert left.recovery is not None
    assert left.saved == set()
    assert left.last_seq > MESSAGES


def test_an_old_copy_put_in_its_place_does_not_take_the_sequence_back(
    path: Path, tmp_path: Path
) -> None:
    old = tmp_path / "copy"
    with Outbox(old, SystemClock()) as outbox:
        outbox.commit([stretch()], {})
    path.write_bytes(old.read_bytes())
    log_of(path).unlink()
    left = Left(path)
    assert left.recovery is not None
    assert left.last_seq > MESSAGES


def test_cut_off_at_every_page_each_message_on_what_is_left_is_saved(path: Path) -> None:
    whole = path.read_bytes()
    log = log_of(path).read_bytes()
    few = MESSAGES
    for pages in range(len(whole) // PAGE):
        for file in path.parent.iterdir():
            if file.name != mark_path(path).name:
                file.unlink()
        path.write_bytes(whole[: pages * PAGE + (pages % 2) * 1000])
        log_of(path).write_bytes(log)
        left = Left(path)
        # What is in the log is there however short the file is.
        assert left.saved >= set(range(61, MESSAGES + 1)), pages
        assert left.last_seq >= MESSAGES
        few = min(few, len(left.saved))
    assert few < MESSAGES


def mutate(content: bytearray, chance: random.Random) -> None:
    match chance.randrange(4):
        case 0:
            for _ in range(chance.randrange(1, 20)):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case 1:
            page = chance.randrange(len(content) // PAGE)
            content[page * PAGE : (page + 1) * PAGE] = bytes(PAGE)
        case 2:
            start = chance.randrange(len(content))
            garbage = chance.randbytes(chance.randrange(1, 9000))
            content[start : start + len(garbage)] = garbage
        case _:
            del content[chance.randrange(len(content)) :]


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_damaged_the_next_start_works_and_no_number_is_given_twice(
    killed: Path, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - a test that repeats
    for attempt in range(12):
        folder = tmp_path / str(attempt)
        shutil.copytree(killed.parent, folder)
        path = folder / "o.db"
        for victim in chance.choice([[path], [log_of(path)], [path, log_of(path)]]):
            content = bytearray(victim.read_bytes())
            mutate(content, chance)
            victim.write_bytes(content)
        left = Left(path)
        assert left.last_seq >= MESSAGES
        for seq in left.saved:
            assert left.messages[seq].topic
        if left.recovery is not None:
            lost = set(range(1, MESSAGES + 1)) - left.saved
            told = range(left.account.get("first_seq", 1), left.account.get("last_seq", 0) + 1)
            first = min(left.saved, default=MESSAGES)
            assert {seq for seq in lost if seq > first} <= set(told)


def test_a_recovery_killed_between_its_two_renamings_is_finished_by_the_next_start(
    path: Path,
) -> None:
    log_of(path).write_bytes(log_of(path).read_bytes()[:-PAGE])
    whole = Left(path)
    # The same moment made by hand: the damaged one gone from its place, its log not yet.
    [aside] = [f for f in path.parent.glob("*.corrupt-*") if not f.name.endswith("-wal")]
    log_of(aside).rename(log_of(path))
    path.rename(path.with_name("o.db-saved"))
    with Outbox(path, SystemClock()) as outbox:
        assert outbox.recovery is None
        assert outbox.depth == len(whole.messages) + 1
    assert len(list(path.parent.glob("*.corrupt-*"))) == 2


def test_a_file_of_version_1_is_brought_up_to_date_with_all_that_waits_in_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "o.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(
        """
        CREATE TABLE outbox (seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE,
            topic TEXT NOT NULL, retain INTEGER NOT NULL CHECK (retain IN (0, 1)),
            payload BLOB NOT NULL, created_ns INTEGER NOT NULL, arrived_monotonic_ns INTEGER,
            fate TEXT NOT NULL DEFAULT 'pending' CHECK (fate IN ('pending', 'dead')),
            reason TEXT CHECK ((fate = 'dead') = (reason IS NOT NULL))) STRICT;
        CREATE TABLE station (one INTEGER PRIMARY KEY CHECK (one = 1),
            seq INTEGER NOT NULL CHECK (seq >= 0)) STRICT;
        CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
        INSERT INTO station VALUES (1, 7);
        INSERT INTO state VALUES ('mark', 'x');
        INSERT INTO outbox VALUES (7, 'id', 'event/coverage', 0, x'7b7d', 1, NULL, 'pending', NULL);
        PRAGMA user_version = 1;
        """
    )
    connection.close()
    with Outbox(path, SystemClock()) as outbox:
        assert outbox.recovery is None
        assert (outbox.last_seq, outbox.depth, outbox.state()) == (7, 1, {"mark": "x"})
        assert outbox.commit([stretch()], {})[0].seq == 8


def test_what_was_confirmed_long_ago_does_not_come_back_out_of_a_damaged_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, SystemClock()) as outbox:
        for _ in range(10):
            seqs = [m.seq for m in outbox.commit([stretch()] * 50, {"long": DOCUMENT})]
            outbox.settle(seqs, confirmed_ns=1)
            outbox.settle([], confirmed_ns=1, forget=seqs)
        outbox.commit([stretch()], {})
    with path.open("r+b") as file:
        file.write(bytes(100))
    with Outbox(path, SystemClock()) as outbox:
        seqs = [m.seq for m in outbox.pending(after_seq=0, limit=1000)]
    assert min(seqs) == 501


def test_the_mark_is_never_ahead_of_what_was_committed(tmp_path: Path) -> None:
    path = tmp_path / "o.db"
    with Outbox(path, ManualClock(-5 * 10**17)) as outbox:
        outbox.commit([stretch()] * 1500, {})
        mark = read_mark(path)
        assert mark is not None
        assert (mark.commits, mark.seq) == (1, 1500)
        assert mark.ceiling >= 1500
