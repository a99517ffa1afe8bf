"""From a booking to a subscriber, through a real mosquitto."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import AlarmState, CoilEvent
from edge_daemon.delivery.courier import Booking
from edge_daemon.errors import StoreError
from edge_daemon.schemas import load
from tests.conftest import Mosquitto, Recorder, free_port, wait_until
from tests.edge_daemon.bodies import defect_event, stretch
from tests.edge_daemon.delivery.conftest import ROOT, STATUS, Station
from tests.faults.fake_broker import FakeBroker

DURABLE_BROKER = (
    "persistence true",
    "autosave_interval 1",
    "autosave_on_changes true",
    "max_inflight_messages 0",
    "max_queued_messages 0",
)
ALARM = Announcement(AlarmState(name="blind", active=True, since=iso_utc(0), count=1, text="dark"))
COIL = Announcement(
    CoilEvent(
        state="done",
        coil="C1",
        begun_at=iso_utc(0),
        done_at=iso_utc(1),
        cameras=1,
        lines_inspected=99,
        lines_not_inspected=1,
        coverage=0.99,
        complete=False,
        defects=1,
        defects_minor=1,
        defects_major=0,
        defects_critical=0,
        defects_scratch=1,
    )
)
DEFECT = Announcement(defect_event(position_mm=70.0))


def one_by_one(count: int) -> list[Booking]:
    return [Booking((stretch(line),), {"mark": str(line)}) for line in range(count)]


def first_arrivals(messages: list[dict[str, Any]]) -> list[int]:
    """Return the sequence numbers in order of first arrival."""
    return list(dict.fromkeys(message["seq"] for message in messages))


@pytest.mark.broker
def test_every_kind_of_message_arrives_as_its_schema_says(
    mosquitto: Mosquitto, recorder: Recorder, station: Station
) -> None:
    with station.courier(mosquitto.port) as courier:
        courier.submit(Booking((stretch(), ALARM, COIL, DEFECT)))
        wait_until(lambda: len(recorder.durable()) == 4 and bool(recorder.on(f"{ROOT}/health")))
    wait_until(lambda: len(recorder.on(f"{ROOT}/status")) == 2)
    kinds = set()
    for _, message in recorder.messages:
        kind = message["schema"].split("/")[1]
        kinds.add(kind)
        Draft7Validator(load(f"{kind}.v1.json")).validate(message)
    assert kinds == {"coverage", "alarm", "coil", "defect", "status", "health"}
    assert [message["seq"] for message in recorder.durable()] == [1, 2, 3, 4]


@pytest.mark.broker
def test_birth_and_clean_stop_are_retained_and_alarms_too(
    mosquitto: Mosquitto, station: Station
) -> None:
    with station.courier(mosquitto.port) as courier:
        courier.submit(Booking((ALARM, stretch())))
        wait_until(lambda: len(station.watcher.latencies_s) == 2)
        with Recorder(mosquitto.port, f"{ROOT}/#") as late:
            wait_until(lambda: len(late.retained) == 2)
    kept = dict(late.retained)
    assert kept.keys() == {f"{ROOT}/status", f"{ROOT}/alarm/blind"}
    assert kept[f"{ROOT}/status"]["state"] == "running"
    with Recorder(mosquitto.port, f"{ROOT}/status") as later:
        wait_until(lambda: len(later.retained) == 1)
    assert later.retained[0][1]["state"] == "stopped"
    assert later.retained[0][1]["online"] is False


@pytest.mark.broker
def test_the_birth_comes_before_anything_else(
    mosquitto: Mosquitto, recorder: Recorder, station: Station
) -> None:
    with station.courier(None) as courier:
        courier.submit(Booking((stretch(),)))
    with station.courier(mosquitto.port):
        wait_until(lambda: len(station.watcher.latencies_s) == 1)
    wait_until(lambda: bool(recorder.durable()))
    assert recorder.messages[0][0] == f"{ROOT}/status"
    assert recorder.messages[0][1]["seq"] == 1


@pytest.mark.broker
def test_nobody_listening_is_told_but_counts_as_delivered(
    mosquitto: Mosquitto, station: Station
) -> None:
    with station.courier(mosquitto.port) as courier:
        courier.submit(Booking((stretch(), stretch())))
        wait_until(lambda: station.watcher.unrouted == 2)
    assert station.watcher.depth == 0


@pytest.mark.broker
def test_what_the_acl_forbids_waits_until_the_acl_is_mended_and_blocks_no_other_topic(
    mosquitto_with: Callable[..., Mosquitto], station: Station
) -> None:
    open_topics = f"topic read #\ntopic write {ROOT}/status\ntopic write {ROOT}/alarm/#\n"
    broker = mosquitto_with(acl=open_topics)
    with (
        Recorder(broker.port, f"{ROOT}/#") as recorder,
        station.courier(broker.port) as courier,
    ):
        courier.submit(Booking((stretch(1), ALARM, stretch(2))))
        wait_until(lambda: len(recorder.on(f"{ROOT}/alarm/blind")) == 1)
        assert courier.flush(10)
        time.sleep(0.5)
        assert station.watcher.depth == 2
        assert len(station.watcher.latencies_s) == 1
        broker.write_acl(open_topics + f"topic write {ROOT}/event/#\n")
        broker.reload()
        wait_until(lambda: len(recorder.durable()) == 3)
    assert [message["seq"] for message in recorder.durable()] == [2, 1, 3]
    assert station.watcher.buried == []


@pytest.mark.broker
def test_what_mosquitto_finds_too_large_is_buried_and_the_rest_arrives(
    mosquitto_with: Callable[..., Mosquitto], station: Station
) -> None:
    broker = mosquitto_with("message_size_limit 250")
    with (
        Recorder(broker.port, f"{ROOT}/event/#") as recorder,
        station.courier(broker.port) as courier,
    ):
        courier.submit(Booking((stretch(1), stretch(2, coil="C" * 64), stretch(3))))
        wait_until(lambda: len(station.watcher.buried) == 1 and station.watcher.depth == 0)
        wait_until(lambda: first_arrivals(recorder.durable()) == [1, 3])


@pytest.fixture
def durable_broker(mosquitto_with: Callable[..., Mosquitto], tmp_path: Path) -> Mosquitto:
    """Start a mosquitto that forgets neither sessions nor what it has taken for them."""
    return mosquitto_with(*DURABLE_BROKER, f"persistence_location {tmp_path}/mosquitto/")


@pytest.mark.broker
def test_what_was_announced_without_a_broker_arrives_once_and_in_order_when_it_comes(
    durable_broker: Mosquitto, station: Station
) -> None:
    with Recorder(durable_broker.port, f"{ROOT}/#") as recorder:
        durable_broker.stop()
        with station.courier(durable_broker.port) as courier:
            for booking in one_by_one(50):
                courier.submit(booking)
            assert courier.flush(10)
            wait_until(lambda: "refused" in (courier.broker_trouble or ""))
            durable_broker.start()
            wait_until(lambda: len(recorder.durable()) >= 50)
    assert [message["seq"] for message in recorder.durable()] == list(range(1, 51))


def until_the_recorder_has_read_all(recorder: Recorder, station: Station) -> None:
    """Return when a frozen broker has nothing left on its way to the recorder."""
    seen: list[tuple[int, int]] = [(0, -1)]

    def at_rest() -> bool:
        time.sleep(0.3)
        received = len(first_arrivals(recorder.durable()))
        seen.append((received, len(station.watcher.latencies_s)))
        return seen[-1] == seen[-2] and received >= seen[-1][1]

    wait_until(at_rest)


@pytest.mark.broker
def test_nothing_is_missing_after_the_broker_was_killed_again_and_again(
    durable_broker: Mosquitto, station: Station, tmp_path: Path
) -> None:
    # The broker is frozen in the middle of its work, and killed when the recorder has read what
    # was sent to it. Killed at once it resets the recorder's connection, and what it had already
    # acknowledged to the station may be lost there: a loss that no publisher can prevent.
    announced: list[str] = []
    with (
        Recorder(durable_broker.port, f"{ROOT}/#") as recorder,
        station.courier(
            durable_broker.port,
            on_announced=lambda _topic, payload: announced.append(json.loads(payload)["id"]),
        ) as courier,
    ):
        wait_until((tmp_path / "mosquitto" / "mosquitto.db").exists)
        for enough in (20, 220, 420):
            for booking in one_by_one(200):
                courier.submit(booking)
            recorder.wait_for(enough)
            durable_broker.freeze()
            until_the_recorder_has_read_all(recorder, station)
            durable_broker.kill()
            durable_broker.start()
        wait_until(lambda: station.watcher.depth == 0, within_s=40)
        recorder.wait_for(600)
        wait_until(lambda: station.watcher.connections.count(True) >= 4, within_s=40)
    assert {message["id"] for message in recorder.durable()} == set(announced)
    assert sorted(first_arrivals(recorder.durable())) == list(range(1, 601))


PUBLISH_FOR_EVER = """
import sys
import time
from pathlib import Path
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.core.envelope import Announcement
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.courier import Booking, Courier
from edge_daemon.delivery.patience import Patience
from edge_daemon.clock import SystemClock
from edge_daemon.core.messages import HealthReport, StatusReport

class Silent:
    def depth_changed(self, depth, oldest_ns): pass
    def connection_changed(self, *, connected): pass
    def confirmed(self, latency_s, *, unrouted): pass
    def dead(self, topic, reason): pass

broker = Broker.from_url(f"mqtt://127.0.0.1:{sys.argv[2]}", "edge/test")
status = StatusReport.model_validate_json(sys.argv[3])
health = lambda: HealthReport(uptime_s=1, frames_received=0, frames_rejected=0, lines_inspected=0,
    lines_not_inspected=0, outbox_depth=0, cameras=0, inspecting=True)
body = CoverageEvent(camera="a", stream="s", reason="lost", from_line=0, to_line=1, lines=1)
with Courier(Path(sys.argv[1]), status, health=health, broker=broker, clock=SystemClock(),
        observer=Silent(), on_announced=lambda topic, payload: print(payload.decode(), flush=True),
        patience=Patience(reconnect_s=(0.05, 0.1))) as courier:
    while True:
        courier.submit(Booking((Announcement(body),), {"mark": "x"}))
        time.sleep(0.002)
"""


@pytest.mark.broker
def test_nothing_committed_is_missing_after_the_daemon_was_killed_again_and_again(
    mosquitto: Mosquitto, recorder: Recorder, station: Station
) -> None:
    lines: list[str] = []
    for enough in (60, 120, 180):
        arguments = [str(station.path), str(mosquitto.port), STATUS.model_dump_json()]
        with subprocess.Popen(
            [sys.executable, "-c", PUBLISH_FOR_EVER, *arguments], stdout=subprocess.PIPE, text=True
        ) as process:
            reader = threading.Thread(target=lines.extend, args=(process.stdout,))
            reader.start()
            recorder.wait_for(enough)
            process.kill()
            reader.join()
    announced = {json.loads(line)["id"] for line in lines if line.endswith("}\n")}
    with station.courier(mosquitto.port):
        wait_until(lambda: station.watcher.depth == 0, within_s=50)
    received = recorder.durable()
    seqs = first_arrivals(received)
    assert seqs == list(range(1, len(seqs) + 1))
    assert announced <= {message["id"] for message in received}
    assert len({message["id"] for message in received}) == len(seqs)
    states = [message["state"] for message in recorder.on(f"{ROOT}/status")]
    assert states.count("lost") == 3


@pytest.mark.broker
def test_the_documents_of_the_last_run_are_there_when_the_next_one_opens(
    station: Station,
) -> None:
    with station.courier(None) as courier:
        assert courier.initial_state == {}
        courier.submit(Booking((), {"coverage/a": "17"}))
    with station.courier(None) as courier:
        assert courier.initial_state == {"coverage/a": "17"}
        assert courier.set_aside is None


def test_without_a_broker_every_message_is_shown_and_kept(station: Station) -> None:
    shown: list[str] = []
    with station.courier(None, on_announced=lambda topic, _: shown.append(topic)) as courier:
        courier.submit(Booking((stretch(), ALARM)))
        assert courier.flush(10)
        assert shown == ["event/coverage", "alarm/blind"]
        assert courier.broker_trouble is None
    assert station.watcher.depth == 2


def test_a_second_courier_on_the_same_outbox_is_refused(station: Station) -> None:
    with (
        station.courier(None),
        pytest.raises(StoreError, match="another program has it open"),
        station.courier(None),
    ):
        pass


def test_a_courier_that_has_stopped_takes_no_booking(station: Station) -> None:
    with station.courier(None) as courier:
        pass
    with pytest.raises(StoreError, match="stopped"):
        courier.submit(Booking())


def test_the_heart_beats_while_nothing_happens(station: Station) -> None:
    beats: list[float] = []
    with station.courier(None, beat=lambda: beats.append(time.monotonic())):
        wait_until(lambda: len(beats) >= 4)


def test_a_full_outbox_tells_what_it_gave_up_and_every_other_message_arrives(
    fake_broker: FakeBroker, station: Station
) -> None:
    waiting = fake_broker.answer
    fake_broker.answer = lambda p: waiting(p) if "/status" in p.topic else b""
    with station.courier(fake_broker.port, max_bytes=1 << 18) as courier:
        for booking in one_by_one(1500):
            assert courier.submit(booking, timeout_s=20)
        assert courier.flush(20)
        assert courier.degraded is None
        assert courier.shed > 0
        fake_broker.answer = waiting
        wait_until(lambda: station.watcher.depth == 0, within_s=40)
        shed = courier.shed
    arrived = {p.message["seq"]: p.message for p in fake_broker.durable()}
    losses = [m for m in arrived.values() if m["schema"] == "edge-daemon/loss/v1"]
    assert sum(m["count"] for m in losses) == shed
    missing = set(range(1, max(arrived) + 1)) - arrived.keys()
    accounted = {seq for m in losses for seq in range(m["first_seq"], m["last_seq"] + 1)}
    assert missing <= accounted
    # What was under way when it was given up came all the same.
    assert shed - 20 <= len(missing) <= shed


def test_closing_twice_and_closing_without_a_broker_in_reach_both_end(station: Station) -> None:
    with station.courier(free_port()) as courier:
        courier.submit(Booking((stretch(),)))
        courier.close(drain_s=0.1)
        courier.close()
    assert station.watcher.depth == 1
