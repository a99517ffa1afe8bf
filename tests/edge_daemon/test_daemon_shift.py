"""A shift at the line: a camera plays a recording to a daemon, the plant listens, then it stops."""

import http
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zmq
from jsonschema import Draft7Validator, FormatChecker

from edge_daemon.schemas import load
from tests.conftest import Mosquitto, Recorder, wait_until
from tests.edge_daemon.conftest import (
    FRAMES_PER_COIL,
    ROWS,
    DaemonProcess,
    Scrape,
    edge_daemon,
    messages_of,
    needs_mosquitto,
    renumbered,
)

pytestmark = [pytest.mark.timeout(300), pytest.mark.broker, needs_mosquitto]
FRAMES = 3 * FRAMES_PER_COIL
CAMERAS = [
    f'[[camera]]\nid = "{camera}"\nmm_per_px_along = 0.5\nmm_per_px_across = 0.5'
    for camera in ("top-1", "bad-1")
]
REFUSED = {
    ("bad-1", "parts"),
    ("unknown", "camera_id"),
    ("stranger", "unknown_camera"),
    ("bad-1", "header_json"),
    ("bad-1", "version"),
    ("bad-1", "crc32"),
    ("top-1", "duplicate"),
}


@dataclass(frozen=True)
class Shift:
    """What a shift left behind.

    `messages` are (topic below the root, message) in the order in which they came, `replayed` those
    of a replay of the same recording afterwards.
    """

    messages: list[tuple[str, dict[str, Any]]]
    replayed: list[tuple[str, dict[str, Any]]]
    retained: dict[str, dict[str, Any]]
    metrics: Scrape
    scraped_at: datetime
    pages: dict[str, tuple[int, str]]
    said_by_camera: str
    exit_code: int
    stdout: str
    log: str

    def on(self, topic: str) -> list[dict[str, Any]]:
        return [message for came_on, message in self.messages if came_on == topic]

    @property
    def durable(self) -> list[dict[str, Any]]:
        return [m for topic, m in self.messages if topic.startswith(("event/", "alarm/"))]


def send_bad_frames(camera: "zmq.Socket[bytes]", good: list[bytes]) -> None:
    """One for each of `REFUSED`, but for the duplicate."""
    header = renumbered(good, stream="bad", seq=0, first_line=0, coil=None)[1]
    camera.send_multipart([b"bad-1"])
    camera.send_multipart([b"bad 1", header, good[2]])
    camera.send_multipart([b"stranger", header, good[2]])
    camera.send_multipart([b"bad-1", b"{", good[2]])
    camera.send_multipart([b"bad-1", b'{"v": 2}', good[2]])
    wrong = {key: value for key, value in json.loads(header).items() if value is not None}
    camera.send_multipart([b"bad-1", json.dumps(wrong | {"crc32": 1}).encode(), good[2]])


@pytest.fixture(scope="module")
def shift(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shift]:
    folder = tmp_path_factory.mktemp("shift")
    frames = messages_of(recording)
    with ExitStack() as stack:
        broker = stack.enter_context(Mosquitto(folder))
        daemon = DaemonProcess(folder, *CAMERAS, mqtt_url=broker.url)
        with Recorder(broker.port, "edge/test/#") as plant:
            stack.enter_context(daemon)
            command = [sys.executable, "-m", "edge_daemon", "camera", str(recording)]
            command += ["--connect", daemon.frames, "--speed", "max", "--wait"]
            with (
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player,
                daemon.camera() as camera,
            ):
                send_bad_frames(camera, frames[0])
                said, _ = player.communicate()
                daemon.await_frames(FRAMES + len(REFUSED) - 1)
                camera.send_multipart(frames[-1])
                daemon.await_frames(FRAMES + len(REFUSED))
            wait_until(lambda: bool(plant.on("edge/test/alarm/not-inspected")))
            wait_until(lambda: daemon.scrape().total("outbox_depth") == 0)
            wait_until(lambda: any(h["inspecting"] for h in plant.on("edge/test/health")))
            pages = {page: daemon.get(page) for page in ("/livez", "/readyz")}
            metrics = daemon.scrape()
            scraped_at = datetime.now(UTC)
            exit_code = daemon.stop()
            wait_until(lambda: plant.on("edge/test/status")[-1]["state"] == "stopped")
            told = [*plant.messages]
        with Recorder(broker.port, "edge/test/#") as late:
            wait_until(lambda: len(late.retained) > 1)
            again = edge_daemon(
                "replay", recording, "--config", daemon.config, "--mqtt", broker.url
            )
            assert again.returncode == 0, again.stderr
            wait_until(lambda: late.on("edge/test/status")[-1:] != [])
            wait_until(lambda: late.on("edge/test/status")[-1]["state"] == "stopped")
            retained, replayed = dict(late.retained), [*late.messages]
        yield Shift(
            [(topic.removeprefix("edge/test/"), message) for topic, message in told],
            [(topic.removeprefix("edge/test/"), message) for topic, message in replayed],
            {topic.removeprefix("edge/test/"): message for topic, message in retained.items()},
            metrics,
            scraped_at,
            pages,
            said,
            exit_code,
            daemon.out.read_text(),
            daemon.log.read_text(),
        )


def body(message: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in message.items() if k not in {"id", "seq", "ts", "schema"}}


def events(
    messages: list[tuple[str, dict[str, Any]]], coils: set[str]
) -> list[tuple[str, dict[str, Any]]]:
    """What was told about these coils, without envelopes."""
    return [
        (topic, body(message))
        for topic, message in messages
        if topic.startswith("event/") and message.get("coil") in coils
    ]


def test_every_message_keeps_its_schema(shift: Shift) -> None:
    kinds = {topic.split("/")[-1] for topic, _ in shift.messages}
    assert {"status", "health", "defect", "coil", "coverage", "not-inspected"} <= kinds
    for topic, message in [*shift.messages, *shift.replayed, *shift.retained.items()]:
        kind = message["schema"].split("/")[1]
        assert topic.split("/")[0 if topic.startswith("alarm/") else -1] == kind
        schema = load(f"{kind}.v1.json")
        Draft7Validator(schema, format_checker=FormatChecker()).validate(message)


def test_the_numbers_of_the_messages_have_no_gap_and_no_id_comes_twice(shift: Shift) -> None:
    assert [message["seq"] for message in shift.durable] == list(range(1, len(shift.durable) + 1))
    ids = [message["id"] for _, message in shift.messages]
    assert len(set(ids)) == len(ids)


def test_the_first_word_is_the_birth_and_the_last_that_it_stopped(shift: Shift) -> None:
    assert shift.messages[0][0] == "status"
    states = [(status["online"], status["state"]) for status in shift.on("status")]
    assert states == [(True, "running"), (False, "stopped")]
    assert shift.retained["status"] == shift.on("status")[-1]


def test_a_signal_ends_it_in_order(shift: Shift) -> None:
    assert shift.exit_code == 0
    assert "Traceback" not in shift.log
    assert "CRITICAL" not in shift.log


def test_all_frames_of_the_camera_are_inspected_though_bad_ones_come_between(shift: Shift) -> None:
    assert shift.said_by_camera == f"{FRAMES} frames sent, 0 dropped, 0 unreadable\n"
    assert shift.metrics.total("lines_inspected_total", camera="top-1") == FRAMES * ROWS
    assert shift.metrics.total("lines_not_inspected_total", camera="top-1") == 0
    assert shift.metrics.total("frames_lost_total", camera="top-1") == 0
    assert shift.metrics.total("frames_received_total", camera="top-1") == FRAMES + 1


def test_bad_frames_are_refused_and_counted_by_camera_and_reason(shift: Shift) -> None:
    for camera, reason in REFUSED:
        total = shift.metrics.total("frames_rejected_total", camera=camera, reason=reason)
        assert total == 1, (camera, reason)
        assert f"camera {camera}: frame refused: {reason}: " in shift.log
    assert shift.metrics.total("frames_rejected_total") == len(REFUSED)
    assert shift.metrics.total("frames_received_total") == FRAMES + len(REFUSED)


def test_a_damaged_frame_whose_place_is_known_is_told_as_not_inspected(shift: Shift) -> None:
    (told,) = shift.on("event/coverage")
    assert (told["camera"], told["stream"], told["reason"]) == ("bad-1", "bad", "decode_error")
    assert (told["from_line"], told["to_line"], told["lines"]) == (0, ROWS, ROWS)
    alarms = shift.on("alarm/not-inspected")
    assert [alarm["text"] for alarm in alarms if alarm["active"]] == [
        f"bad-1: {ROWS} rows not inspected (decode_error)"
    ]
    assert shift.retained["alarm/not-inspected"] == alarms[-1]


def test_each_coil_is_begun_and_done_with_a_sum_that_is_right(shift: Shift) -> None:
    coils = [(coil["coil"], coil["state"]) for coil in shift.on("event/coil")]
    assert coils == [
        ("C1001", "begun"),
        ("C1001", "done"),
        ("C1002", "begun"),
        ("C1002", "done"),
        ("C1003", "begun"),
    ]
    for done in shift.on("event/coil"):
        if done["state"] == "done":
            found = [d for d in shift.on("event/defect") if d["coil"] == done["coil"]]
            classes = Counter(defect["class"] for defect in found)
            assert done["lines_inspected"] == FRAMES_PER_COIL * ROWS
            # All that was announced was inspected, but bad-1 is configured and saw nothing of it.
            assert (done["cameras"], done["coverage"]) == (1, 1.0)
            assert done["complete"] is False
            assert done["defects"] == len(found) > 0
            assert {k: v for k, v in done.items() if k.startswith("defects_") and v} == {
                **{f"defects_{name}": count for name, count in classes.items()},
                **{f"defects_{s}": n for s, n in Counter(d["severity"] for d in found).items()},
            }


def test_the_metrics_agree_with_what_was_told(shift: Shift) -> None:
    metrics = shift.metrics
    ended = [event for event in shift.on("event/defect") if not event["open"]]
    before = [event for event in ended if datetime.fromisoformat(event["ts"]) < shift.scraped_at]
    assert metrics.total("defects_total") == len(before) > 1
    assert len(ended) > len(before)  # the recording ends on defects: the stop ends them
    assert metrics.total("frame_latency_seconds_count") == FRAMES
    # That a frame comes twice is found out only when it is settled.
    assert metrics.total("stage_seconds_count", stage="segment") == FRAMES + 1
    assert metrics.total("alert_latency_seconds_count") >= len(shift.on("event/defect"))
    assert metrics.total("outbox_depth") == 0
    assert metrics.total("outbox_oldest_timestamp_seconds") == 0
    assert metrics.total("mqtt_connected") == 1
    assert metrics.total("ready") == 1
    bundle = shift.on("status")[0]["bundle"]
    assert metrics.total("build_info", bundle=bundle) == 1
    health = shift.on("health")[-1]
    assert health["frames_received"] <= FRAMES + len(REFUSED)
    assert health["inspecting"] is True


def test_it_is_alive_and_ready_with_nothing_to_complain_of(shift: Shift) -> None:
    assert shift.pages["/livez"] == (http.HTTPStatus.OK, '{"live": true, "reasons": {}}\n')
    code, page = shift.pages["/readyz"]
    assert code == http.HTTPStatus.OK
    assert json.loads(page) == {
        "ready": True,
        "reasons": {},
        "notes": {"engine": "onnxruntime on CPU", "broker": "connected"},
    }


def test_with_a_broker_nothing_is_printed(shift: Shift) -> None:
    assert shift.stdout == ""


def test_a_replay_of_the_recording_tells_exactly_what_the_daemon_told(shift: Shift) -> None:
    done = {"C1001", "C1002"}
    told = events(shift.messages, done)
    assert told
    assert events(shift.replayed, done) == told


def test_a_replay_ends_what_the_daemon_leaves_open(shift: Shift) -> None:
    # What the daemon tells as open once the strip has stood for 2 s, a replay never does.
    told = events(shift.messages, {"C1003"})
    live = [one for one in told if one[0] == "event/defect" and not one[1]["open"]]
    replayed = events(shift.replayed, {"C1003"})
    assert [event for event in replayed if event in live] == live
    assert replayed[-1][0] == "event/coil"
    assert replayed[-1][1]["state"] == "done"
