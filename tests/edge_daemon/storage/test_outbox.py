import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.clock import ManualClock, SystemClock
from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import AlarmState
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import Outbox
from edge_daemon.storage.rows import StoredMessage
from tests.edge_daemon.bodies import stretch

CLOCK = SystemClock()


def remove(outbox: Outbox, seqs: Iterable[int]) -> None:
    outbox.settle(list(seqs), confirmed_ns=1)
    outbox.forget_confirmed()


def everything(outbox: Outbox) -> list[StoredMessage]:
    return outbox.pending(after_seq=0, limit=1_000_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "outbox.sqlite3"


def test_what_was_committed_is_there_after_opening_again(path: Path) -> None:
    with Outbox(path, CLOCK) as outbox:
        stored = outbox.commit([stretch(1), stretch(2)], {"coverage/a": "{}"})
    with Outbox(path, CLOCK) as outbox:
        assert everything(outbox) == stored
        assert outbox.state() == {"coverage/a": "{}"}
        assert (outbox.depth, outbox.last_seq) == (2, 2)


def test_the_sequence_goes_on_without_a_gap_over_removals_and_restarts(path: Path) -> None:
    seqs = []
    for _ in range(3):
        with Outbox(path, CLOCK) as outbox:
            seqs += [m.seq for m in outbox.commit([stretch(), stretch()], {})]
            remove(outbox, seqs)
    assert seqs == [1, 2, 3, 4, 5, 6]


def test_the_payload_carries_the_row_it_is_stored_as(path: Path) -> None:
    clock = ManualClock(now_ns=1_700_000_000_000_000_000)
    alarm = AlarmState(name="blind", active=True, since=iso_utc(0), count=1, text="")
    with Outbox(path, clock) as outbox:
        [_, message] = outbox.commit([stretch(), Announcement(alarm, 17)], {})
    body = json.loads(message.payload)
    assert (body["seq"], body["ts"]) == (2, "2023-11-14T22:13:20.000000Z")
    assert (message.topic, message.retain) == ("alarm/blind", True)
    assert message.arrived_monotonic_ns == 17


def test_a_status_carries_the_number_of_the_last_message_and_uses_none_up(path: Path) -> None:
    alarm = AlarmState(name="blind", active=True, since=iso_utc(0), count=1, text="")
    with Outbox(path, CLOCK) as outbox:
        assert json.loads(outbox.stamp(alarm))["seq"] == 0
        outbox.commit([stretch()], {})
        assert json.loads(outbox.stamp(alarm))["seq"] == 1
        assert outbox.commit([stretch()], {})[0].seq == 2


def test_state_set_to_none_is_removed(path: Path) -> None:
    with Outbox(path, CLOCK) as outbox:
        outbox.commit([], {"coil": "1", "coverage": "2"})
        outbox.commit([], {"coil": None, "coverage": "3"})
        assert outbox.state() == {"coverage": "3"}


def test_held_topics_are_passed_over_and_keep_their_place(path: Path) -> None:
    alarm = Announcement(AlarmState(name="x", active=True, since=iso_utc(0), count=1, text=""))
    with Outbox(path, CLOCK) as outbox:
        outbox.commit([stretch(), alarm, stretch(), alarm], {})
        held = outbox.pending(after_seq=0, limit=9, held_topics=["event/coverage"])
        assert [m.seq for m in held] == [2, 4]
        assert [m.seq for m in outbox.pending(after_seq=1, limit=2)] == [2, 3]


def test_a_buried_message_is_not_offered_until_it_is_revived(path: Path) -> None:
    with Outbox(path, CLOCK) as outbox:
        outbox.commit([stretch(), stretch()], {})
        outbox.bury(1, "Topic name invalid")
        assert [m.seq for m in everything(outbox)] == [2]
        assert (outbox.depth, outbox.dead) == (1, 1)
    with Outbox(path, CLOCK) as outbox:
        assert (outbox.depth, outbox.dead) == (1, 1)
        assert outbox.revive() == 1
        assert [m.seq for m in everything(outbox)] == [1, 2]
        assert (outbox.depth, outbox.dead) == (2, 0)


def test_the_oldest_is_the_oldest_that_waits(path: Path) -> None:
    clock = ManualClock(now_ns=1000)
    with Outbox(path, clock) as outbox:
        assert outbox.oldest_ns() is None
        outbox.commit([stretch()], {})
        clock.advance(500)
        outbox.commit([stretch()], {})
        assert outbox.oldest_ns() == 1000
        remove(outbox, [1])
        assert outbox.oldest_ns() == 1500


def test_a_full_disk_leaves_nothing_half_and_the_same_commit_can_be_repeated(path: Path) -> None:
    with Outbox(path, CLOCK, max_bytes=1 << 17) as outbox:
        kept = outbox.commit([stretch(line) for line in range(100)], {"mark": "before"})
        with pytest.raises(StoreError, match="free disk space"):
            outbox.commit([stretch(line) for line in range(1000)], {"mark": "after"})
        assert everything(outbox) == kept
        assert outbox.state() == {"mark": "before"}
        assert (outbox.last_seq, outbox.depth) == (100, 100)
        remove(outbox, [m.seq for m in kept])
        again = outbox.commit([stretch(line) for line in range(100)], {"mark": "after"})
        assert [m.seq for m in again] == list(range(101, 201))


def test_a_constraint_that_fails_takes_the_announcements_back_with_the_state(path: Path) -> None:
    same = bytes(8)
    with Outbox(path, ManualClock(1), random_bytes=lambda _: same) as outbox:
        outbox.commit([stretch()], {"mark": "before"})
        with pytest.raises(StoreError, match="UNIQUE"):
            outbox.commit([stretch()], {"mark": "after"})
        assert outbox.state() == {"mark": "before"}
        assert outbox.last_seq == 1


def test_a_second_daemon_is_refused_and_told_why(path: Path) -> None:
    with (
        Outbox(path, CLOCK) as outbox,
        pytest.raises(StoreError, match="another program has it open"),
        Outbox(path, CLOCK),
    ):
        outbox.commit([stretch()], {})


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="writable"), Outbox(tmp_path / "file" / "o.db", CLOCK):
        pass


def test_using_it_unopened_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="context manager"):
        Outbox(path, CLOCK).commit([stretch()], {})


COMMIT_FOR_EVER = """
import sys
from pathlib import Path
from edge_daemon.clock import SystemClock
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.core.envelope import Announcement
from edge_daemon.storage.outbox import Outbox

body = CoverageEvent(
    camera="a", stream="s", reason="lost", from_line=0, to_line=1, lines=1
)
with Outbox(Path(sys.argv[1]), SystemClock()) as outbox:
    while True:
        outbox.commit([Announcement(body)] * 2, {"mark": str(outbox.last_seq + 2)})
        print(outbox.last_seq, flush=True)
"""


@pytest.mark.parametrize("commits", [1, 5, 40])
def test_kill_minus_9_takes_nothing_back_that_was_committed(path: Path, commits: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", COMMIT_FOR_EVER, path], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(commits)]
        process.kill()
        lines += [line for line in process.stdout if line.endswith("\n")]
    with Outbox(path, CLOCK) as outbox:
        assert outbox.recovery is None
        seqs = [m.seq for m in everything(outbox)]
        assert seqs == list(range(1, outbox.last_seq + 1))
        assert outbox.last_seq >= int(lines[-1])
        assert outbox.state() == {"mark": str(outbox.last_seq)}


@given(st.lists(st.tuples(st.integers(0, 3), st.sets(st.integers(1, 30))), max_size=12))
@settings(deadline=None, derandomize=True, max_examples=25)
def test_depth_and_order_hold_for_any_mix_of_commits_and_removals(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, set[int]]]
) -> None:
    waiting: list[int] = []
    with Outbox(tmp_path_factory.mktemp("mix") / "o.db", CLOCK) as outbox:
        for count, gone in steps:
            waiting += [m.seq for m in outbox.commit([stretch()] * count, {})]
            remove(outbox, gone)
            waiting = [seq for seq in waiting if seq not in gone]
            assert outbox.depth == len(waiting)
            assert [m.seq for m in everything(outbox)] == waiting


def test_the_file_is_synced_on_every_commit_and_belongs_to_one_connection(path: Path) -> None:
    with Outbox(path, CLOCK) as outbox:
        outbox.commit([stretch()], {})
        assert not path.with_name(f"{path.name}-shm").exists()
        other = sqlite3.connect(path, timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT count(*) FROM outbox")
        other.close()
