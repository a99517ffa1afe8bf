"""Bad days: the broker is away, and the daemon is killed with alerts that nobody has yet."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Mosquitto, Recorder, wait_until
from tests.edge_daemon.conftest import (
    FRAMES_PER_COIL,
    ROWS,
    DaemonProcess,
    Scrape,
    messages_of,
    needs_mosquitto,
)

pytestmark = [pytest.mark.timeout(300), pytest.mark.broker, needs_mosquitto]
# Frames of the recording: the first coil with a broker, some of the second without one, then the
# daemon is killed; what passes before it is there again reaches into the third.
WITH_BROKER, KILLED_AT, BACK_AT = FRAMES_PER_COIL, FRAMES_PER_COIL + 4, 2 * FRAMES_PER_COIL + 2


@dataclass(frozen=True)
class BadDay:
    """What the plant was told, twice told included, and what the killed daemon had on disk."""

    messages: list[tuple[str, dict[str, Any]]]
    depth_without_broker: float
    connected_without_broker: float
    left_on_disk: list[tuple[int, str]]
    metrics: Scrape
    exit_code: int

    @property
    def durable(self) -> list[dict[str, Any]]:
        """Each message once, as they came."""
        unique = {m["id"]: m for topic, m in self.messages if "/status" not in topic}
        return [m for m in unique.values() if m["schema"] != "edge-daemon/health/v1"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [m for m in self.durable if m["schema"] == f"edge-daemon/{kind}/v1"]


@pytest.fixture(scope="module")
def bad_day(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BadDay]:
    folder = tmp_path_factory.mktemp("bad-day")
    frames = messages_of(recording)
    keeping = ("persistence true", f"persistence_location {folder}/")
    with Mosquitto(folder, *keeping) as broker, Recorder(broker.port, "edge/test/#") as plant:
        with DaemonProcess(folder, mqtt_url=broker.url) as daemon:
            with daemon.camera() as camera:
                for parts in frames[:WITH_BROKER]:
                    camera.send_multipart(parts)
                daemon.await_frames(WITH_BROKER)
                broker.stop()
                wait_until(lambda: daemon.scrape().total("mqtt_connected") == 0)
                for parts in frames[WITH_BROKER:KILLED_AT]:
                    camera.send_multipart(parts)
                # Not all of them: it is killed at its work.
                daemon.await_frames(KILLED_AT - 1)
                without_broker = daemon.scrape()
                assert daemon.stop(signal.SIGKILL) == -signal.SIGKILL
            # A copy: whoever opens the file itself would tidy up what the crash left.
            left = shutil.copytree(daemon.state, folder / "left")
            left_on_disk = read_outbox(left / "outbox.sqlite3")
            with daemon:
                broker.start()
                with daemon.camera() as camera:
                    for parts in frames[BACK_AT:]:
                        camera.send_multipart(parts)
                    daemon.await_frames(len(frames) - BACK_AT)
                wait_until(lambda: daemon.scrape().total("mqtt_connected") == 1)
                wait_until(lambda: daemon.scrape().total("outbox_depth") == 0)
                metrics = daemon.scrape()
                exit_code = daemon.stop()
        wait_until(lambda: plant.on("edge/test/status")[-1]["state"] == "stopped")
        yield BadDay(
            [*plant.messages],
            without_broker.total("outbox_depth"),
            without_broker.total("mqtt_connected"),
            left_on_disk,
            metrics,
            exit_code,
        )


def read_outbox(path: Path) -> list[tuple[int, str]]:
    """The messages that wait: number and id."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT seq, message_id FROM outbox ORDER BY seq").fetchall()
    finally:
        connection.close()


def test_without_a_broker_inspection_goes_on_and_alerts_are_kept(bad_day: BadDay) -> None:
    assert bad_day.connected_without_broker == 0
    assert bad_day.depth_without_broker > 0
    assert len(bad_day.left_on_disk) >= bad_day.depth_without_broker


def test_no_alert_is_lost(bad_day: BadDay) -> None:
    arrived = {(message["seq"], message["id"]) for message in bad_day.durable}
    assert set(bad_day.left_on_disk) <= arrived


def test_the_numbers_go_on_without_a_gap_over_crash_and_outage(bad_day: BadDay) -> None:
    numbers = [message["seq"] for message in bad_day.durable]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_gap_is_told_as_what_it_is(bad_day: BadDay) -> None:
    told = [(c["from_line"], c["to_line"]) for c in bad_day.of("coverage")]
    assert {c["reason"] for c in bad_day.of("coverage")} == {"daemon_restart"}
    first, end = told[0][0], told[-1][1]
    assert [start for start, _ in told[1:]] == [stop for _, stop in told[:-1]]
    assert (WITH_BROKER - 1) * ROWS < first <= KILLED_AT * ROWS
    assert end == BACK_AT * ROWS
    lost = bad_day.metrics.total("lines_not_inspected_total", reason="daemon_restart")
    assert sum(c["lines"] for c in bad_day.of("coverage")) == lost == end - first


def test_a_coil_with_a_gap_is_not_called_complete(bad_day: BadDay) -> None:
    done = {coil["coil"]: coil for coil in bad_day.of("coil") if coil["state"] == "done"}
    assert done["C1001"]["complete"] is True
    assert done["C1002"]["complete"] is False
    begun = [coil["coil"] for coil in bad_day.of("coil") if coil["state"] == "begun"]
    assert begun == ["C1001", "C1002", "C1003"]


def test_after_the_crash_all_that_comes_is_inspected(bad_day: BadDay) -> None:
    rest = 3 * FRAMES_PER_COIL - BACK_AT
    assert bad_day.metrics.total("lines_inspected_total") == rest * ROWS
    assert bad_day.exit_code == 0
