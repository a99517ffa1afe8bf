import os
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.errors import ConfigurationError
from edge_daemon.telemetry.health import Health
from edge_daemon.telemetry.notify import Notifier, feed_watchdog, watchdog_interval_s

MS = 1_000_000


class ServiceManager:
    """The receiving end of sd_notify."""

    def __init__(self, receiver: socket.socket, address: str) -> None:
        self._receiver = receiver
        self.address = address

    def received(self) -> list[str]:
        """Return what has arrived; a datagram is there as soon as it was sent."""
        messages = []
        while True:
            try:
                messages.append(self._receiver.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceManager]:
    name = f"edge-daemon-{uuid4()}"
    path, address = str(tmp_path / "notify"), str(tmp_path / "notify")
    if request.param == "abstract":
        path, address = f"\0{name}", f"@{name}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(path)
        receiver.settimeout(0)
        yield ServiceManager(receiver, address)


def test_a_whole_life_arrives_in_order(manager: ServiceManager) -> None:
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager.address})
    notifier.status("building the engine")
    notifier.ready()
    notifier.watchdog()
    notifier.stopping()
    assert manager.received() == [
        "STATUS=building the engine",
        "READY=1",
        "WATCHDOG=1",
        "STOPPING=1",
    ]


def test_a_line_break_in_a_status_does_not_smuggle_in_another_state(
    manager: ServiceManager,
) -> None:
    Notifier(manager.address).status("bad coil id\nSTOPPING=1")
    assert manager.received() == ["STATUS=bad coil id STOPPING=1"]


def test_a_reload_says_in_one_message_when_it_began_and_ends_with_ready(
    manager: ServiceManager,
) -> None:
    notifier = Notifier(manager.address)
    before_us = time.monotonic_ns() // 1000
    notifier.reloading()
    after_us = time.monotonic_ns() // 1000
    notifier.ready()
    reloading, ready = manager.received()
    kind, _, at_us = reloading.removeprefix("RELOADING=1\n").partition("=")
    assert (kind, ready) == ("MONOTONIC_USEC", "READY=1")
    assert before_us <= int(at_us) <= after_us


def test_the_watchdog_is_patient_during_a_reload_and_strict_again_after_it(
    manager: ServiceManager,
) -> None:
    environ = {"NOTIFY_SOCKET": manager.address, "WATCHDOG_USEC": "15000000"}
    Notifier.from_environment(environ).reloading()
    Notifier.from_environment(environ).ready()  # of the run that follows
    reloading, ready = manager.received()
    patience_us = int(reloading.rpartition("\nWATCHDOG_USEC=")[2])
    assert patience_us > 100 * 1_000_000
    assert ready == "READY=1\nWATCHDOG_USEC=15000000"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}])
def test_without_a_service_manager_nothing_is_sent_and_nothing_fails(
    environ: dict[str, str],
) -> None:
    notifier = Notifier.from_environment(environ)
    assert notifier.address is None
    notifier.ready()
    notifier.status("alone")
    notifier.watchdog()


def test_a_service_manager_that_is_gone_is_logged_and_survived(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Notifier(str(tmp_path / "gone")).ready()
    assert "can't notify" in caplog.text
    assert "READY=1" in caplog.text


def test_the_watchdog_is_fed_only_while_every_worker_beats(
    manager: ServiceManager, clock: ManualClock
) -> None:
    notifier, health = Notifier(manager.address), Health(clock)
    beating, _ = health.worker("ingest", 5.0), health.worker("sender", 5.0)
    assert feed_watchdog(notifier, health).ok
    assert manager.received() == ["WATCHDOG=1"]
    clock.advance(6000 * MS)
    beating.beat()
    assert set(feed_watchdog(notifier, health).reasons) == {"sender"}
    assert manager.received() == []


def test_the_watchdog_wants_to_be_fed_at_half_its_time_out() -> None:
    environ = {"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": str(os.getpid())}
    assert watchdog_interval_s(environ) == 7.5
    assert watchdog_interval_s({"WATCHDOG_USEC": "15000000"}) == 7.5


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "15000000", "WATCHDOG_PID": "1"}]
)
def test_a_watchdog_of_nobody_or_of_another_process_is_none_of_ours(
    environ: dict[str, str],
) -> None:
    assert watchdog_interval_s(environ) is None


@pytest.mark.parametrize(
    "environ", [{"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "1", "WATCHDOG_PID": "-1"}]
)
def test_a_watchdog_that_is_no_number_is_a_configuration_error(environ: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match=r"WATCHDOG_USEC=.*whole numbers"):
        watchdog_interval_s(environ)
