import io
import json
import threading
import uuid

import pytest

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.subscriber import Received
from edge_daemon.watch import Continuity, readable, watch
from tests.conftest import Mosquitto, Publisher, free_port, wait_until

ROOT = "edge/test"


def received(seq: int, message_id: str | None = None, topic: str = "event/coverage") -> Received:
    message = {
        "id": message_id or str(uuid.uuid4()),
        "seq": seq,
        "ts": "2026-01-02T03:04:05.000000Z",
        "schema": "edge-daemon/coverage/v1",
        "camera": "top-1",
        "reason": "lost",
    }
    return Received(f"{ROOT}/{topic}", json.dumps(message).encode(), retained=False)


def remarks(*messages: Received) -> list[str]:
    continuity = Continuity()
    lines = [readable(message, ROOT, continuity).plain for message in messages]
    return [line.partition("  <- ")[2] for line in lines]


def test_a_line_has_time_number_topic_and_what_is_said_without_the_envelope() -> None:
    line = readable(received(7), ROOT, Continuity()).plain
    assert line.split() == [
        "2026-01-02T03:04:05.000000Z",
        "7",
        "event/coverage",
        "camera=top-1",
        "reason=lost",
    ]


def test_a_sequence_without_gaps_is_not_remarked_on() -> None:
    assert remarks(*(received(seq) for seq in (5, 6, 7))) == ["", "", ""]


def test_a_gap_is_named_with_its_ends_and_what_comes_late_is_called_late() -> None:
    assert remarks(received(5), received(9), received(6)) == ["", "missing 6..8", "late, after 9"]


def test_a_message_that_comes_twice_is_a_duplicate() -> None:
    assert remarks(received(5, "a"), received(6, "b"), received(5, "a")) == ["", "", "duplicate"]


def test_status_and_health_do_not_count_but_tell_what_is_not_here_yet() -> None:
    assert remarks(received(5), received(5, topic="health"), received(6)) == ["", "", ""]
    assert remarks(received(5), received(8, topic="health")) == ["", "3 not here yet"]


@pytest.mark.parametrize("payload", [b"\xff\xfe", b"[1, 2]", b"17"])
def test_what_is_not_ours_is_shown_and_does_not_stop_the_watch(payload: bytes) -> None:
    line = readable(Received(f"{ROOT}/x", payload, retained=False), ROOT, Continuity()).plain
    assert "no JSON" in line


def test_what_has_no_number_is_remarked_on() -> None:
    assert remarks(Received(f"{ROOT}/x", b"{}", retained=False)) == [
        "no id and seq: not one of ours"
    ]


@pytest.mark.broker
@pytest.mark.parametrize("as_json", [False, True])
def test_a_watch_shows_what_the_broker_passes_on(
    mosquitto: Mosquitto, publisher: Publisher, *, as_json: bool
) -> None:
    out = io.StringIO()
    wanted = received(7)
    broker = Broker.from_url(mosquitto.url, ROOT)
    watching = threading.Thread(target=lambda: watch(broker, out=out, as_json=as_json, idle_s=1.0))
    watching.start()

    def shown() -> bool:
        publisher.publish(wanted.topic, wanted.payload)
        return "top-1" in out.getvalue()

    wait_until(shown)
    watching.join()
    lines = out.getvalue().splitlines()
    if as_json:
        assert {line.encode() for line in lines} == {wanted.payload}
    else:
        assert lines[0] == f"following {ROOT}/#"
        assert "event/coverage  camera=top-1  reason=lost" in lines[1]


def test_a_broker_that_is_not_there_is_said_so() -> None:
    out = io.StringIO()
    watch(Broker.from_url(f"mqtt://127.0.0.1:{free_port()}", ROOT), out=out, idle_s=0.5)
    assert "not connected: nobody answers" in out.getvalue()
