"""The watchdog bites, whichever thread of a real daemon stands still; each is made to in turn."""

import json
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import cv2
import pytest

from edge_daemon.core.wire import Codec
from tests.conftest import wait_until
from tests.edge_daemon.conftest import DaemonProcess
from tests.edge_daemon.marked_steel import message, steel
from tests.edge_daemon.service_manager import ServiceManager
from tests.edge_daemon.stopped_threads import may_trace, stopped

pytestmark = pytest.mark.timeout(300)  # for a busy computer
THREADS = {
    "MainThread": "main",
    "receiver": "receiver",
    "doorkeeper": "doorkeeper",
    "network": "network",
    "inspector": "inspector",
    "courier": "courier",
}
"""The worker that each thread of the daemon is called in its reports."""
FED, WATCHDOG_US = "WATCHDOG=1", 1_000_000
PAGES = "http"
"""The thread that serves the pages; nobody's heart."""
STALLS = Path(__file__).with_name("stalling.py")


@dataclass(frozen=True)
class Watched:
    """A daemon that runs, whom it reports to, and the file that makes a thread stand still."""

    daemon: DaemonProcess
    manager: ServiceManager
    stalled: Path

    def stall(self, thread: str) -> None:
        self.stalled.with_suffix(".new").write_text(thread)
        self.stalled.with_suffix(".new").replace(self.stalled)

    def livez(self) -> tuple[int, set[str]]:
        status, text = self.daemon.get("/livez")
        return status, set(json.loads(text)["reasons"])

    def is_fed(self) -> Callable[[], bool]:
        """Whether it was fed again since now."""
        before = self.manager.told.count(FED)
        return lambda: self.manager.told.count(FED) > before

    def await_stall(self, worker: str) -> None:
        wait_until(lambda: self.livez() == (HTTPStatus.SERVICE_UNAVAILABLE, {worker}))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Give one daemon to all these tests: each leaves it as it was, and the last one kills it."""
    folder = tmp_path_factory.mktemp("watched")
    stalled = folder / "stalled"
    stalled.write_text("")
    daemon = DaemonProcess(folder)
    daemon.command = [sys.executable, str(STALLS), str(daemon.config), str(stalled)]
    with ServiceManager(folder / "notify") as manager:
        daemon.environ = {
            "NOTIFY_SOCKET": str(manager.path),
            "WATCHDOG_USEC": str(WATCHDOG_US),
            "PYTHONFAULTHANDLER": "1",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        with daemon:
            yield Watched(daemon, manager, stalled)


@pytest.fixture(autouse=True)
def _set_going(watched: Watched) -> Iterator[None]:
    """Leave no thread standing still for the next test."""
    yield
    watched.stall("")


def test_there_is_no_worker_that_these_tests_leave_out(watched: Watched) -> None:
    watched.stall("all")
    wait_until(lambda: len(watched.livez()[1]) >= len(THREADS))
    assert watched.livez()[1] == set(THREADS.values())
    watched.stall("")
    wait_until(lambda: watched.livez() == (HTTPStatus.OK, set()))


@pytest.mark.parametrize("thread", THREADS)
def test_a_thread_that_stands_still_starves_the_watchdog_and_is_named_until_it_goes_on(
    watched: Watched, thread: str
) -> None:
    wait_until(watched.is_fed())
    watched.stall(thread)
    watched.await_stall(THREADS[thread])
    status, text = watched.daemon.get("/readyz")
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert "no sign of life" in json.loads(text)["reasons"][THREADS[thread]]
    fed = watched.is_fed()
    lines = watched.daemon.log.read_text().count("stalled: ")
    if thread != "MainThread":  # several of its turns, in each of which it would have fed
        wait_until(lambda: watched.daemon.log.read_text().count("stalled: ") > lines + 2)
    assert not fed()
    watched.stall("")
    wait_until(lambda: watched.livez() == (HTTPStatus.OK, set()))
    wait_until(fed)
    assert watched.daemon.get("/readyz")[0] == HTTPStatus.OK


def test_pages_that_nobody_serves_are_no_reason_to_stop_inspecting(watched: Watched) -> None:
    received = watched.daemon.scrape().total("frames_received_total")
    watched.stall(PAGES)
    fed = watched.is_fed()
    with watched.daemon.camera() as camera:
        camera.send_multipart(message(steel(), payload=b"too short").parts)
        wait_until(lambda: "event/coverage" in watched.daemon.out.read_text())
    wait_until(fed)
    watched.stall("")
    watched.daemon.await_frames(int(received) + 1)


def test_a_decoder_that_stands_still_starves_the_watchdog_and_is_named_until_it_goes_on(
    watched: Watched,
) -> None:
    received = watched.daemon.scrape().total("frames_received_total")
    watched.stall("decoder_0")
    payload = cv2.imencode(".jpg", steel())[1].tobytes()
    with watched.daemon.camera() as camera:
        camera.send_multipart(message(steel(), codec=Codec.JPEG, payload=payload).parts)
        watched.await_stall("network")
        assert "a decoder has had a frame for 30 s" in watched.daemon.get("/livez")[1]
        wait_until(lambda: "a decoder has had a frame" in watched.daemon.log.read_text())
        fed = watched.is_fed()
        lines = watched.daemon.log.read_text().count("stalled: ")
        wait_until(lambda: watched.daemon.log.read_text().count("stalled: ") > lines + 2)
        assert not fed()
        watched.stall("")
        watched.daemon.await_frames(int(received) + 1)
    wait_until(lambda: watched.livez() == (HTTPStatus.OK, set()))
    wait_until(fed)


@pytest.mark.skipif(not may_trace(), reason="this computer lets nobody trace a process")
def test_an_io_thread_of_zeromq_that_stands_still_starves_the_watchdog(watched: Watched) -> None:
    wait_until(watched.is_fed())
    with stopped(watched.daemon.pid, "ZMQbg/IO"):
        watched.await_stall("receiver")
        assert "I/O thread has passed on nothing for 10 s" in watched.daemon.get("/livez")[1]
        fed = watched.is_fed()
        lines = watched.daemon.log.read_text().count("stalled: ")
        wait_until(lambda: watched.daemon.log.read_text().count("stalled: ") > lines + 2)
        assert not fed()
    wait_until(lambda: watched.livez() == (HTTPStatus.OK, set()))
    wait_until(fed)


def test_the_kill_that_follows_ends_it_and_leaves_where_each_thread_stood(
    watched: Watched,
) -> None:
    watched.stall("network")
    watched.await_stall("network")
    assert watched.daemon.stop(signal.SIGABRT) == -signal.SIGABRT  # systemd's, after WatchdogSec=
    log = watched.daemon.log.read_text()
    assert "Fatal Python error: Aborted" in log
    assert "in stand_still" in log
    assert "STOPPING=1" not in watched.manager.told
