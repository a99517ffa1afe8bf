import threading
from pathlib import Path

from edge_daemon.clock import ManualClock
from edge_daemon.delivery.intake import Booking, Intake
from edge_daemon.delivery.outbox import Outbox
from tests.edge_daemon.delivery.conftest import stretch


def test_all_that_waits_goes_into_one_commit_in_order_with_the_latest_state(tmp_path: Path) -> None:
    clock, room = ManualClock(1), threading.Semaphore(0)
    with Outbox(tmp_path / "o.db", clock) as outbox:
        intake = Intake(outbox, clock, room)
        intake.take(Booking((stretch(1), stretch(2)), {"mark": "1", "coil": "x"}))
        intake.take(Booking((stretch(3),), {"mark": "2", "coil": None}))
        assert [message.seq for message in intake.commit()] == [1, 2, 3]
        assert outbox.state() == {"mark": "2"}
        assert intake.waiting == 0
    assert room.acquire(blocking=False)
    assert room.acquire(blocking=False)
    assert not room.acquire(blocking=False)


def test_a_commit_that_fails_keeps_all_and_is_tried_again_when_its_time_comes(
    tmp_path: Path,
) -> None:
    clock, room, done = ManualClock(1), threading.Semaphore(0), threading.Event()
    with Outbox(tmp_path / "o.db", clock, max_bytes=1 << 17) as outbox:
        first = outbox.commit([stretch(line) for line in range(200)], {})
        intake = Intake(outbox, clock, room)
        intake.take(Booking(tuple(stretch(line) for line in range(200))))
        intake.tell_when_durable(done)
        assert intake.commit() == []
        assert intake.trouble is not None
        assert "full" in intake.trouble
        assert (intake.waiting, done.is_set(), room.acquire(blocking=False)) == (1, False, False)
        outbox.remove(message.seq for message in first)
        assert intake.commit() == []
        clock.advance(intake.wait_ns() or 0)
        assert [message.seq for message in intake.commit()] == list(range(201, 401))
        assert done.is_set()
        assert intake.wait_ns() is None


def test_whoever_waits_is_told_at_once_where_nothing_is_to_be_written(tmp_path: Path) -> None:
    clock, done = ManualClock(1), threading.Event()
    with Outbox(tmp_path / "o.db", clock) as outbox:
        intake = Intake(outbox, clock, threading.Semaphore(0))
        assert intake.wait_ns() is None
        intake.tell_when_durable(done)
        intake.commit()
    assert done.is_set()
