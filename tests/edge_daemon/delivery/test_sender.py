"""Delivery against a broker that does what brokers shouldn't."""

import socket
import time

import pytest

from edge_daemon.delivery.courier import Booking
from edge_daemon.delivery.patience import Patience
from tests.conftest import wait_until
from tests.edge_daemon.bodies import stretch
from tests.edge_daemon.delivery.conftest import Station
from tests.faults.fake_broker import FakeBroker, Published, disconnect, puback

LONG = "C" * 64


def book(count: int) -> Booking:
    return Booking(tuple(stretch(line) for line in range(count)))


@pytest.mark.parametrize("receive_maximum", [1, 5, 65535])
def test_no_more_are_in_flight_than_the_broker_allows(
    fake_broker: FakeBroker, station: Station, receive_maximum: int
) -> None:
    fake_broker.receive_maximum = receive_maximum
    held: list[Published] = []

    def hold(published: Published) -> bytes:
        held.append(published)
        return b""

    fake_broker.answer = hold
    wanted = min(receive_maximum, 20)
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(45))
        while len(fake_broker.durable()) < 45:
            seen = len(fake_broker.published)
            wait_until(lambda: len(held) == wanted or len(fake_broker.durable()) == 45)
            time.sleep(0.02)
            assert len(held) <= wanted
            assert len(fake_broker.published) >= seen
            while held:
                fake_broker.send(puback(held.pop(0)))
        fake_broker.answer = puback
        while held:
            fake_broker.send(puback(held.pop(0)))
    assert fake_broker.seqs() == list(range(1, 46))
    assert fake_broker.connections == 1


def test_without_an_acknowledgement_the_link_is_made_anew_and_order_kept(
    fake_broker: FakeBroker, station: Station
) -> None:
    fake_broker.answer = lambda published: (
        b"" if published.connection == 1 and "/event/" in published.topic else puback(published)
    )
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(3))
        wait_until(lambda: len(station.watcher.latencies_s) == 3)
    assert fake_broker.seqs(1) == [1, 2, 3]
    assert fake_broker.seqs(2) == [1, 2, 3]
    assert station.watcher.connections == [True, False, True, False]


def test_no_message_is_confirmed_that_the_broker_did_not_acknowledge_however_often_it_goes(
    fake_broker: FakeBroker, station: Station
) -> None:
    # The broker's own list is the witness: of each connection's messages it acknowledges seven.
    acknowledged: list[int] = []

    def hang_up_after_seven(published: Published) -> bytes:
        if "/event/" not in published.topic:
            return puback(published)
        if len(fake_broker.seqs(published.connection)) > 7:
            return disconnect(0x8B)
        acknowledged.append(published.message["seq"])
        return puback(published)

    fake_broker.answer = hang_up_after_seven
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(40))
        wait_until(lambda: station.watcher.depth == 0)
    assert list(dict.fromkeys(acknowledged)) == list(range(1, 41))
    assert len(station.watcher.latencies_s) == 40
    assert fake_broker.connections >= 6
    for connection in range(1, fake_broker.connections + 1):
        assert fake_broker.seqs(connection) == sorted(fake_broker.seqs(connection))


def test_a_message_too_large_for_the_broker_is_buried_and_blocks_nobody(
    fake_broker: FakeBroker, station: Station
) -> None:
    with station.courier(None) as courier:
        courier.submit(Booking((stretch(1), stretch(2, coil=LONG), stretch(3))))
    fake_broker.packet_maximum = 300
    with station.courier(fake_broker.port):
        wait_until(lambda: len(station.watcher.latencies_s) == 2)
        wait_until(lambda: bool(station.watcher.buried))
    assert fake_broker.seqs() == [1, 3]
    [(topic, reason)] = station.watcher.buried
    assert topic == "event/coverage"
    assert "the broker takes 300" in reason
    fake_broker.packet_maximum = 1 << 20
    with station.courier(fake_broker.port):
        wait_until(lambda: len(station.watcher.latencies_s) == 3)
    assert fake_broker.seqs() == [1, 3, 2]


@pytest.mark.parametrize("code", [0x90, 0x99])
def test_a_refusal_for_good_is_counted_and_never_taken_for_delivery(
    fake_broker: FakeBroker, station: Station, code: int
) -> None:
    fake_broker.answer = lambda p: puback(p, code if p.message.get("from_line") == 1 else 0)
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(3))
        wait_until(lambda: station.watcher.depth == 0 and len(station.watcher.latencies_s) == 2)
        wait_until(lambda: len(station.watcher.buried) == 1)
    assert fake_broker.seqs() == [1, 2, 3]


@pytest.mark.parametrize("code", [0x80, 0x83, 0x87, 0x97])
def test_a_refusal_for_now_is_tried_again_and_taken_in_order_when_the_broker_changes_its_mind(
    fake_broker: FakeBroker, station: Station, code: int
) -> None:
    taken: list[int] = []

    def refuse_four(published: Published) -> bytes:
        if len(fake_broker.durable()) <= 4 and "/event/" in published.topic:
            return puback(published, code)
        if "/event/" in published.topic:
            taken.append(published.message["seq"])
        return puback(published)

    fake_broker.answer = refuse_four
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(3))
        wait_until(lambda: len(station.watcher.latencies_s) == 3)
    assert taken == [1, 2, 3]
    assert station.watcher.buried == []
    assert fake_broker.connections == 1


def test_a_message_that_breaks_the_connection_is_found_and_buried(
    fake_broker: FakeBroker, station: Station
) -> None:
    fake_broker.answer = lambda p: (
        disconnect(0x95) if p.message.get("from_line") == 2 else puback(p)
    )
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(5))
        wait_until(lambda: len(station.watcher.buried) == 1)
        wait_until(lambda: station.watcher.depth == 0)
    assert set(fake_broker.seqs()) == {1, 2, 3, 4, 5}
    assert fake_broker.seqs()[-2:] == [4, 5]


def test_an_answer_that_the_library_cannot_read_is_traced_to_its_message(
    fake_broker: FakeBroker, station: Station
) -> None:
    # mosquitto answers what exceeds its message_size_limit with 0x95, which no PUBACK may carry.
    fake_broker.answer = lambda p: puback(p, 0x95 if p.message.get("from_line") == 1 else 0)
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(3))
        wait_until(lambda: station.watcher.depth == 0 and len(station.watcher.buried) == 1)
    assert set(fake_broker.seqs()) == {1, 2, 3}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "garbage",
    [b"\x40\x02\x00", b"\xf0\x00", b"\x40\x00", b"\x20\x09\x00\x00\x06\x7f\x7f\x7f\x7f\x7f\x7f"],
)
def test_garbage_that_ends_the_network_thread_costs_one_connection(
    fake_broker: FakeBroker, station: Station, garbage: bytes
) -> None:
    fake_broker.answer = lambda p: garbage if p.connection == 1 else puback(p)
    with station.courier(fake_broker.port) as courier:
        courier.submit(book(2))
        wait_until(lambda: len(station.watcher.latencies_s) == 2)
        assert courier.connected
    assert fake_broker.seqs(2) == [1, 2]


def test_closing_ends_though_nothing_was_acknowledged_and_the_will_is_asked_for(
    fake_broker: FakeBroker, station: Station
) -> None:
    fake_broker.answer = lambda p: puback(p) if "/event/" not in p.topic else b""
    slow = Patience(reconnect_s=(0.05, 0.1))
    with station.courier(fake_broker.port, patience=slow) as courier:
        courier.submit(book(30))
        wait_until(lambda: len(fake_broker.durable()) == 20)
        courier.close(drain_s=0.2)
    wait_until(lambda: fake_broker.goodbyes == [0x04])
    with station.courier(None):
        pass
    assert station.watcher.depth == 30


def test_a_broker_that_accepts_and_says_nothing_does_not_hold_up_the_disk(
    station: Station,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        with station.courier(mute.getsockname()[1]) as courier:
            courier.submit(book(3))
            assert courier.flush(10)
            assert not courier.connected
            courier.close(drain_s=0.1)
        assert station.watcher.depth == 3


def test_a_row_is_given_only_to_a_connection_that_is_there(
    fake_broker: FakeBroker, station: Station
) -> None:
    with station.courier(None) as courier:
        courier.submit(book(50))
    with station.courier(fake_broker.port):
        wait_until(lambda: len(station.watcher.latencies_s) == 50)
    assert fake_broker.seqs() == list(range(1, 51))


def test_latency_is_told_only_for_frames_of_this_run(
    fake_broker: FakeBroker, station: Station
) -> None:
    framed = type(stretch())(stretch().body, arrived_monotonic_ns=time.monotonic_ns())
    with station.courier(None) as courier:
        courier.submit(Booking((framed,)))
    with station.courier(fake_broker.port) as courier:
        courier.submit(Booking((framed, stretch())))
        wait_until(lambda: len(station.watcher.latencies_s) == 3)
    [earlier, own, frameless] = station.watcher.latencies_s
    assert earlier is None
    assert own is not None
    assert own > 0
    assert frameless is None
