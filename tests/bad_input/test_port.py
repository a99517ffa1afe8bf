"""Who comes to the cameras' port and is no camera: scanners, browsers, half a greeting."""

import os
import resource
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

import pytest

from tests.bad_input.cases import BAD, ROWS, good
from tests.bad_input.watched_daemon import WatchedDaemon
from tests.conftest import PATIENCE_S, wait_until

pytestmark = pytest.mark.timeout(120)
MORE_DESCRIPTORS = 8
"""What may come and go beside the strangers' connections: scrapes, the database's journal."""
STRANGERS = 1000
_GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
"""ZMTP 3.0, 2.1: what both ends say first."""
_READY = b"\x04\x19\x05READY\x0bSocket-Type\0\0\0\x04PUSH"

NONSENSE = {
    "nothing": b"",
    "a zero": b"\0",
    "an HTTP request": b"GET / HTTP/1.1\r\nHost: line\r\n\r\n",
    "a TLS greeting": bytes.fromhex("16030100c8010000c40303") + bytes(200),
    "an SSH greeting": b"SSH-2.0-OpenSSH_9.2\r\n",
    "MQTT": bytes.fromhex("101000044d5154540502003c00000361"),
    "noise": os.urandom(64) + b"\xff" * 4096,
    "half a ZMTP greeting": _GREETING[:11],
    "a ZMTP greeting of another version": _GREETING.replace(b"\x03\0", b"\x09\x09", 1),
    "a ZMTP greeting of an unknown mechanism": _GREETING.replace(b"NULL", b"EVIL"),
    "a ZMTP greeting and noise": _GREETING + b"\xff" * 4096,
    "a ZMTP frame of 2**63 bytes": _GREETING + _READY + b"\x02" + b"\x7f" + b"\xff" * 7,
    "a ZMTP frame of 4 GiB": _GREETING + _READY + b"\x03" + (2**32).to_bytes(8, "big") + b"x" * 999,
    "a handshake that never ends": _GREETING + b"\x06" + (2**30).to_bytes(8, "big") + b"x" * 999,
    "a publisher": _GREETING + _READY.replace(b"PUSH", b"XPUB"),
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedDaemon]:
    with WatchedDaemon(tmp_path_factory.mktemp("port")) as daemon:
        yield daemon


def address(daemon: WatchedDaemon) -> tuple[str, int]:
    host, _, port = daemon.frames.removeprefix("tcp://").rpartition(":")
    return host, int(port)


def say(daemon: WatchedDaemon, *speeches: bytes) -> None:
    """Connect as often, say it, and hang up: some in order, some with a reset."""
    with ExitStack() as peers:
        for number, speech in enumerate(speeches):
            peer = peers.enter_context(socket.create_connection(address(daemon), PATIENCE_S))
            if number % 2:
                reset = b"\x01\0\0\0" + bytes(4)
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            try:
                peer.sendall(speech)
            except OSError:  # it hung up first, as it may
                continue


def assert_it_inspects(daemon: WatchedDaemon, stream: str) -> None:
    before = daemon.scrape()
    with daemon.camera() as camera:
        for seq in range(2):
            camera.send_multipart(list(good(stream, seq)))
        daemon.await_frames(int(before.total("frames_received_total")) + 2)
        name = "lines_inspected_total"
        lines = before.total(name, camera=BAD) + 2 * ROWS
        wait_until(lambda: daemon.scrape().total(name, camera=BAD) == lines)
    after = daemon.scrape()
    rejected = "frames_rejected_total"
    assert after.total(rejected) == before.total(rejected)


def assert_descriptors_go_back(daemon: WatchedDaemon, before: int) -> None:
    wait_until(lambda: daemon.descriptors <= before + MORE_DESCRIPTORS)


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_at_the_port_is_no_frame_and_stops_none(kind: str, daemon: WatchedDaemon) -> None:
    before = daemon.descriptors
    say(daemon, *[NONSENSE[kind]] * 4)
    assert_it_inspects(daemon, f"beside {kind}")
    assert_descriptors_go_back(daemon, before)


def test_a_thousand_strangers_who_stay_keep_no_camera_out(daemon: WatchedDaemon) -> None:
    before = daemon.descriptors
    with ExitStack() as peers:
        for number in range(STRANGERS):
            peer = peers.enter_context(socket.create_connection(address(daemon), PATIENCE_S))
            peer.sendall(speech_of(number))
        assert_it_inspects(daemon, "beside a thousand")
        assert daemon.get("/readyz")[0] == 200
    assert_descriptors_go_back(daemon, before)
    assert_it_inspects(daemon, "after a thousand")


def speech_of(number: int) -> bytes:
    speeches: Sequence[bytes] = list(NONSENSE.values())
    return speeches[number % len(speeches)]


def test_a_thousand_strangers_leave_nothing_behind(daemon: WatchedDaemon) -> None:
    before = daemon.descriptors
    for _ in range(10):
        say(daemon, *(speech_of(number) for number in range(STRANGERS // 10)))
    assert_descriptors_go_back(daemon, before)
    assert_it_inspects(daemon, "after a thousand who left")


def test_strangers_who_take_all_descriptors_stop_no_camera_that_is_there(
    daemon: WatchedDaemon,
) -> None:
    before = daemon.descriptors
    usual = resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)
    with daemon.camera() as camera, ExitStack() as peers:
        name = "lines_inspected_total"
        inspected = daemon.scrape().total(name, camera=BAD) + ROWS
        camera.send_multipart(list(good("there before", 0)))
        wait_until(lambda: daemon.scrape().total(name, camera=BAD) >= inspected)
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (before + 40, usual[1]))
        for number in range(100):
            peer = peers.enter_context(socket.create_connection(address(daemon), PATIENCE_S))
            peer.sendall(speech_of(number))
        for seq in range(1, 20):
            camera.send_multipart(list(good("there before", seq)))
        peers.close()
        wait_until(lambda: daemon.scrape().total(name, camera=BAD) == inspected + 19 * ROWS)
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, usual)
    assert_descriptors_go_back(daemon, before)
    assert_it_inspects(daemon, "after all descriptors were taken")


def test_nothing_of_it_is_told_as_a_failure(daemon: WatchedDaemon) -> None:
    log = daemon.log.read_text()
    assert "Traceback" not in log
    assert "CRITICAL" not in log
    assert daemon.get("/livez")[0] == 200
    assert daemon.stop() == 0
