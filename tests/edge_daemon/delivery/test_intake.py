import threading
from pathlib import Path

from edge_daemon.clock import ManualClock
from edge_daemon.delivery.intake import Booking, Intake
from edge_daemon.storage.outbox import Outbox
from tests.edge_daemon.bodies import stretch


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
    folder = tmp_path / "state"
    with Outbox(folder / "o.db", clock) as outbox:
        intake = Intake(outbox, clock, room)
        outbox.commit([stretch()] * 3, {})
        folder.rename(tmp_path / "taken")
        folder.write_text("a file where the folder was")
        intake.take(Booking(tuple(stretch(line) for line in range(200))))
        intake.tell_when_durable(done)
        assert list(intake.commit()) == []
        assert intake.trouble is not None
        assert "taken away" in intake.trouble
        assert (intake.waiting, done.is_set(), room.acquire(blocking=False)) == (1, False, False)
        folder.unlink()
        assert list(intake.commit()) == []
        clock.advance(intake.wait_ns() or 0)
        assert [message.seq for message in intake.commit()] == list(range(4, 204))
        assert done.is_set()
        assert intake.wait_ns() is None
    with Outbox(folder / "o.db", clock) as outbox:
        assert outbox.recovery is None
        assert outbox.depth == 203


def test_a_full_outbox_gives_up_what_matters_least_and_the_booking_gets_in(
    tmp_path: Path,
) -> None:
    clock, room = ManualClock(1), threading.Semaphore(0)
    with Outbox(tmp_path / "o.db", clock, max_bytes=1 << 20) as outbox:
        intake = Intake(outbox, clock, room)
        stored = 0
        for _ in range(100):
            intake.take(Booking(tuple(stretch(line) for line in range(100))))
            while intake.waiting:
                stored += len(intake.commit())
        assert outbox.shed > 0
        assert intake.trouble is None
        assert outbox.depth == stored - outbox.shed
        assert outbox.last_seq == stored


def test_whoever_waits_is_told_at_once_where_nothing_is_to_be_written(tmp_path: Path) -> None:
    clock, done = ManualClock(1), threading.Event()
    with Outbox(tmp_path / "o.db", clock) as outbox:
        intake = Intake(outbox, clock, threading.Semaphore(0))
        assert intake.wait_ns() is None
        intake.tell_when_durable(done)
        intake.commit()
    assert done.is_set()
