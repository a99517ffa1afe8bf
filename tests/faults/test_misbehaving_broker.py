"""A broker that is silent, refuses, stammers or throws us out is told everything in the end.

The oracle gets as received what the broker confirmed with success, and nothing else: a message that
left the outbox without that would be missing.
"""

import itertools
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import needs_mosquitto
from tests.faults.fake_broker import (
    MALFORMED,
    FakeBroker,
    Published,
    disconnect,
    puback,
    silence,
)
from tests.faults.oracle import Delivery, judge_delivery
from tests.faults.plant import Plant
from tests.faults.station import TOPICS, StationProcess

CLIENT_ID = "edge-daemon-edge/test"
MESSAGES = 200


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def station(broker: FakeBroker, tmp_path: Path) -> Iterator[StationProcess]:
    """Set up a station that has a fixed number of messages to tell, and hasn't begun."""
    options = ("--port", str(broker.port), "--count", str(MESSAGES))
    process = StationProcess(tmp_path, *options)
    try:
        yield process
    finally:
        process.__exit__(None, None, None)


def durable(published: Published) -> bool:
    return "/event/" in published.topic


def judge(station: StationProcess, broker: FakeBroker) -> Delivery:
    """Kill the station, so that it can't tidy up, and ask the oracle."""
    station.stop(signal.SIGKILL)
    return judge_delivery(station.testimony(), broker.delivered())


def seqs(broker: FakeBroker) -> set[int]:
    return {message["seq"] for message in broker.delivered()}


def await_delivery(broker: FakeBroker, count: int = MESSAGES) -> None:
    wait_until(lambda: len(seqs(broker)) >= count)


def settled(station: StationProcess, broker: FakeBroker) -> bool:
    """Whether each message was delivered or given up."""
    given_up = station.errors.read_text().count("is not taken")
    return len(seqs(broker)) + given_up >= MESSAGES


def test_what_is_never_confirmed_stays(station: StationProcess, broker: FakeBroker) -> None:
    broker.answer = silence
    station.start()
    wait_until(lambda: broker.connections >= 3)
    verdict = judge(station, broker)
    assert verdict.content, verdict
    assert (verdict.delivered, verdict.waiting) == (0, verdict.announced)
    assert broker.most_in_flight <= 21  # the window, and the birth


@pytest.mark.parametrize(
    "code",
    [
        0x87,
        0x97,
        *(pytest.param(code, marks=pytest.mark.slow) for code in (0x80, 0x83)),
    ],
    ids=hex,
)
def test_what_is_refused_for_now_comes_later_in_order(
    station: StationProcess, broker: FakeBroker, code: int
) -> None:
    broker.answer = lambda p: puback(p, code if durable(p) else 0)
    station.start()
    wait_until(lambda: len(broker.durable()) >= 22)
    assert broker.delivered() == []
    broker.answer = puback
    await_delivery(broker)
    verdict = judge(station, broker)
    assert verdict.content, verdict
    assert verdict.delivered == MESSAGES


@pytest.mark.parametrize("code", [0x90, 0x99], ids=hex)
def test_what_is_refused_for_good_is_kept_and_told_at_the_next_start(
    station: StationProcess, broker: FakeBroker, code: int
) -> None:
    broker.answer = lambda p: puback(p, code if durable(p) and p.message["seq"] % 7 == 0 else 0)
    station.start()
    refused = MESSAGES // 7
    await_delivery(broker, MESSAGES - refused)
    wait_until(lambda: len(station.testimony().waiting) == refused)
    broker.answer = puback
    station.stop(signal.SIGKILL)
    station.start("--count", "1")
    await_delivery(broker, MESSAGES + 1)
    verdict = judge(station, broker)
    assert verdict.missing == ()
    assert verdict.late == tuple(range(7, MESSAGES + 1, 7))


@pytest.mark.parametrize(
    "maximum",
    [1, pytest.param(3, marks=pytest.mark.slow), pytest.param(20, marks=pytest.mark.slow)],
)
def test_no_more_is_in_flight_than_the_broker_allows(
    station: StationProcess, broker: FakeBroker, maximum: int
) -> None:
    held: list[Published] = []
    full = threading.Event()

    def hold(published: Published) -> bytes:
        held.append(published)
        if len(held) >= maximum:
            full.set()
        return b""

    broker.receive_maximum, broker.answer = maximum, hold
    station.start()
    while len(broker.delivered()) < MESSAGES // 2:
        assert full.wait(10)
        full.clear()
        some = held[:maximum]
        del held[:maximum]
        for published in some:
            broker.confirm(published)
    broker.answer = puback
    for published in held:
        broker.confirm(published)
    await_delivery(broker)
    verdict = judge(station, broker)
    assert verdict.content, verdict
    assert broker.most_in_flight == maximum


def test_what_is_larger_than_the_broker_takes_is_not_sent_and_not_lost(
    station: StationProcess, broker: FakeBroker
) -> None:
    broker.packet_maximum = 128
    station.start()
    wait_until(lambda: len(station.testimony().waiting) == MESSAGES)
    wait_until(lambda: station.errors.read_text().count("packet too large") == MESSAGES)
    assert broker.durable() == []
    station.stop(signal.SIGKILL)
    broker.packet_maximum = 1 << 20
    station.start("--count", "1")
    await_delivery(broker, MESSAGES + 1)
    verdict = judge(station, broker)
    assert verdict.content, verdict


@pytest.mark.parametrize(
    "packet",
    [
        pytest.param(packet, id=name, marks=pytest.mark.slow if number > 1 else ())
        for number, (name, packet) in enumerate(MALFORMED.items())
    ],
)
def test_nonsense_instead_of_an_answer_loses_nothing(
    station: StationProcess, broker: FakeBroker, packet: bytes
) -> None:
    count = itertools.count(1)
    garbled: set[int] = set()

    def stammer(published: Published) -> bytes:
        number = next(count)
        if number > 60 or number % 12:
            return puback(published)
        garbled.add(published.message["seq"])
        return packet

    broker.answer = stammer
    station.start()
    # What was under way each time is suspected, and may be given up until the next start.
    wait_until(lambda: settled(station, broker))
    station.stop(signal.SIGKILL)
    # Those were not taken while younger ones on the same connection were.
    station.start("--count", "1")
    await_delivery(broker, MESSAGES + 1)
    verdict = judge(station, broker)
    assert (verdict.missing, verdict.alien) == ((), ())
    assert set(verdict.late) <= garbled


@pytest.mark.parametrize(
    "code",
    [0x8B, *(pytest.param(code, marks=pytest.mark.slow) for code in (0x89, 0x93, 0x98))],
    ids=hex,
)
def test_a_broker_that_keeps_disconnecting_loses_nothing(
    station: StationProcess, broker: FakeBroker, code: int
) -> None:
    count = itertools.count(1)

    def leave(published: Published) -> bytes:
        number = next(count)
        return disconnect(code) if number <= 60 and number % 12 == 0 else puback(published)

    broker.answer = leave
    station.start()
    await_delivery(broker)
    assert broker.connections > 3
    verdict = judge(station, broker)
    assert verdict.content, verdict


@pytest.mark.broker
@needs_mosquitto
def test_another_with_our_client_id_costs_time_and_nothing_else(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Plant(broker.port, TOPICS) as plant,
        StationProcess(tmp_path, "--port", str(broker.port), "--rate", "500") as station,
    ):
        for _ in range(4):
            thief = paho.Client(
                CallbackAPIVersion.VERSION2,
                client_id=CLIENT_ID,
                protocol=MQTTProtocolVersion.MQTTv5,
                reconnect_on_failure=False,
            )
            thief.connect("127.0.0.1", broker.port)
            thief.loop_start()
            plant.await_more(50)
            thief.disconnect()
            thief.loop_stop()
        assert "no connection to the broker" in station.errors.read_text()
        verdict = plant.hear_out(station)
    assert verdict.content, verdict
