"""What is confirmed is kept for a moment, and sent again when the broker may have died."""

from collections.abc import Callable
from pathlib import Path

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.delivery.courier import Booking
from edge_daemon.delivery.journal import Journal
from edge_daemon.storage.outbox import Outbox
from tests.conftest import Mosquitto, Recorder, wait_until
from tests.edge_daemon.bodies import stretch
from tests.edge_daemon.delivery.conftest import ROOT, Station
from tests.faults.fake_broker import FakeBroker, Published, disconnect, puback

SECOND_NS = 10**9


def waiting(outbox: Outbox) -> list[int]:
    return [message.seq for message in outbox.pending(after_seq=0, limit=10_000)]


def test_what_was_confirmed_within_30_s_before_the_end_waits_again_and_no_more(
    tmp_path: Path,
) -> None:
    clock = ManualClock(now_ns=5, monotonic_ns=5)
    with Outbox(tmp_path / "o.db", clock) as outbox:
        journal = Journal(outbox, clock)
        outbox.commit([stretch()] * 4, {})
        journal.write_down({1: 10, 2: 10})
        clock.advance(31 * SECOND_NS)
        journal.write_down({3: 10})
        assert waiting(outbox) == [4]
        journal.link_ended()
        clock.advance(60 * SECOND_NS)
        journal.write_down({})
        assert waiting(outbox) == [3, 4]
        assert outbox.depth == 2
        assert (journal.was_recalled(3), journal.was_recalled(1)) == (True, False)


def test_the_wall_clock_has_no_say_in_what_is_kept(tmp_path: Path) -> None:
    clock = ManualClock(now_ns=10**18)
    with Outbox(tmp_path / "o.db", clock) as outbox:
        journal = Journal(outbox, clock)
        outbox.commit([stretch()] * 2, {})
        for year in (-10, 20):
            clock.set_now(clock.now_ns() + year * 365 * 86400 * SECOND_NS)
            journal.write_down({1: 10} if year < 0 else {2: 10})
        journal.link_ended()
        journal.write_down({})
        assert waiting(outbox) == [1, 2]


def test_what_was_kept_long_enough_is_deleted_and_never_more_than_the_limit_is_kept(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    with Outbox(tmp_path / "o.db", clock) as outbox:
        journal = Journal(outbox, clock, most_messages=50)
        outbox.commit([stretch()] * 200, {})
        for seq in range(1, 201):
            journal.write_down({seq: 10})
        assert outbox.depth == 0
        assert outbox.recall() == 50
        journal.write_down(dict.fromkeys(range(151, 201), 10))
        clock.advance(36 * SECOND_NS)
        journal.write_down({})
        assert outbox.recall() == 0


def test_a_message_is_taken_back_three_times_at_most(tmp_path: Path) -> None:
    clock = ManualClock()
    with Outbox(tmp_path / "o.db", clock) as outbox:
        journal = Journal(outbox, clock)
        outbox.commit([stretch()], {})
        depths = []
        for _ in range(5):
            journal.write_down({1: 10})
            journal.link_ended()
            journal.write_down({})
            depths.append(outbox.depth)
    assert depths == [1, 1, 1, 0, 0]


@pytest.fixture
def forgetful(mosquitto_with: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """Start a broker that knows a subscriber's session, and saves nothing more while it runs."""
    broker = mosquitto_with("persistence true", f"persistence_location {tmp_path}/mosquitto/")
    with Recorder(broker.port, f"{ROOT}/#"):
        pass
    broker.stop()
    broker.start()
    return broker


def arrived(broker: Mosquitto, enough: int) -> list[int]:
    with Recorder(broker.port, f"{ROOT}/#") as recorder:
        recorder.wait_for(enough)
        return list(dict.fromkeys(message["seq"] for message in recorder.durable()))


@pytest.mark.broker
def test_what_a_killed_broker_had_acknowledged_and_not_saved_arrives_all_the_same(
    forgetful: Mosquitto, station: Station
) -> None:
    with station.courier(forgetful.port) as courier:
        courier.submit(Booking(tuple(stretch(line) for line in range(60))))
        wait_until(lambda: len(station.watcher.latencies_s) == 60 and station.watcher.depth == 0)
        forgetful.kill()
        forgetful.start()
        assert arrived(forgetful, 60) == list(range(1, 61))
        wait_until(lambda: station.watcher.depth == 0)
    assert len(station.watcher.latencies_s) == 60


@pytest.mark.broker
def test_what_was_acknowledged_arrives_though_station_and_broker_died_together(
    forgetful: Mosquitto, station: Station
) -> None:
    with station.courier(forgetful.port) as courier:
        courier.submit(Booking(tuple(stretch(line) for line in range(60))))
        wait_until(lambda: len(station.watcher.latencies_s) == 60)
        courier.omit_farewell()
    forgetful.kill()
    forgetful.start()
    with station.courier(forgetful.port):
        assert arrived(forgetful, 60) == list(range(1, 61))


@pytest.mark.broker
def test_after_a_clean_stop_nothing_is_sent_again_and_the_broker_alone_answers_for_it(
    forgetful: Mosquitto, station: Station
) -> None:
    with station.courier(forgetful.port) as courier:
        courier.submit(Booking(tuple(stretch(line) for line in range(60))))
        wait_until(lambda: len(station.watcher.latencies_s) == 60)
    forgetful.kill()
    forgetful.start()
    with station.courier(forgetful.port) as courier:
        courier.submit(Booking((stretch(),)))
        assert arrived(forgetful, 1) == [61]


def test_what_is_sent_again_comes_first_in_order_and_within_the_window(
    fake_broker: FakeBroker, station: Station
) -> None:
    fake_broker.receive_maximum = 5

    def hang_up_once(published: Published) -> bytes:
        if "/event/" in published.topic and len(fake_broker.seqs(1)) > 30:
            return disconnect(0x8B) if published.connection == 1 else puback(published)
        return puback(published)

    fake_broker.answer = hang_up_once
    with station.courier(fake_broker.port) as courier:
        courier.submit(Booking(tuple(stretch(line) for line in range(60))))
        wait_until(lambda: station.watcher.depth == 0 and fake_broker.connections == 2)
    assert fake_broker.seqs(2) == list(range(1, 61))
    assert len(station.watcher.latencies_s) == 60


def test_a_broker_that_finds_fault_with_a_message_is_not_sent_the_others_again(
    fake_broker: FakeBroker, station: Station
) -> None:
    fake_broker.answer = lambda p: (
        disconnect(0x95) if p.message.get("from_line") == 30 else puback(p)
    )
    with station.courier(fake_broker.port) as courier:
        courier.submit(Booking(tuple(stretch(line) for line in range(40))))
        wait_until(lambda: len(station.watcher.buried) == 1 and station.watcher.depth == 0)
    assert fake_broker.seqs().count(1) == 1
