"""Descriptors run out, and readers of /metrics never come to an end: the strip is looked at."""

import resource
import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import ROWS, DaemonProcess, messages_of, needs_mosquitto
from tests.faults.evidence import read_outbox
from tests.faults.plant import Plant
from tests.faults.proxy import Proxy
from tests.faults.station import TOPICS

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300), needs_mosquitto]
CROWD = 60


def crowd(stack: ExitStack, address: str) -> list[socket.socket]:
    """Many connections that begin a request and never end it."""
    host, _, port = address.rpartition(":")
    knocking = [
        stack.enter_context(socket.create_connection((host, int(port)), timeout=5))
        for _ in range(CROWD)
    ]
    for one in knocking:
        one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    return knocking


def test_without_a_descriptor_left_frames_are_inspected_and_told(
    recording: Path, tmp_path: Path
) -> None:
    frames = messages_of(recording)[:12]
    with (
        Mosquitto(tmp_path) as broker,
        Plant(broker.port, TOPICS) as plant,
        Proxy(broker.port) as proxy,
        DaemonProcess(tmp_path, mqtt_url=proxy.url) as daemon,
        daemon.camera() as camera,
    ):
        wait_until(lambda: daemon.scrape().total("mqtt_connected") == 1)
        camera.send_multipart(frames[0])
        daemon.await_frames(1)
        before = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
        in_use = len([*Path(f"/proc/{daemon.pid}/fd").iterdir()])
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (in_use, before[1]))
        with ExitStack() as stack:
            crowd(stack, daemon.http)
            for parts in frames[1:]:
                camera.send_multipart(parts)
            proxy.reset()  # and a new connection to the broker can't be had
            wait_until(lambda: read_outbox_seq(daemon, tmp_path) >= 2)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, before)
        daemon.await_frames(len(frames))
        wait_until(lambda: daemon.scrape().total("lines_inspected_total") == len(frames) * ROWS)
        wait_until(lambda: daemon.scrape().total("outbox_depth") == 0, within_s=60)
        assert daemon.stop() == 0
        verdict = plant.judge(read_outbox(daemon.state / "outbox.sqlite3", tmp_path))
    assert verdict.content, verdict
    assert verdict.waiting == 0


def read_outbox_seq(daemon: DaemonProcess, scratch: Path) -> int:
    return read_outbox(daemon.state / "outbox.sqlite3", scratch).last_seq


def test_readers_that_never_end_keep_neither_frames_nor_other_readers_waiting(
    recording: Path, tmp_path: Path
) -> None:
    frames = messages_of(recording)[:12]
    with (
        DaemonProcess(tmp_path) as daemon,
        daemon.camera() as camera,
        ExitStack() as stack,
    ):
        slow = crowd(stack, daemon.http)
        for number, parts in enumerate(frames):
            camera.send_multipart(parts)
            slow[number].sendall(b"x")
        daemon.await_frames(len(frames))
        wait_until(lambda: daemon.scrape().total("lines_inspected_total") == len(frames) * ROWS)
        assert daemon.get("/livez")[0] == 200
        assert daemon.stop() == 0
