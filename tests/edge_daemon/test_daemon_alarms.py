"""Alarms of a daemon that is killed, and told to read its configuration anew, meanwhile."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Mosquitto, Recorder, wait_until
from tests.edge_daemon.conftest import DaemonProcess, messages_of, needs_mosquitto

pytestmark = [pytest.mark.timeout(300), pytest.mark.broker, needs_mosquitto]


def test_a_dead_camera_stays_silent_over_a_kill_and_a_reload_and_hides_nobody(
    recording: Path, tmp_path: Path
) -> None:
    frame = messages_of(recording)[0][1:]

    def told(count: int) -> list[dict[str, Any]]:
        """Messages of the alarm, once there are so many; what a kill has told twice, once."""
        wait_until(lambda: len(different()) >= count)
        return different()

    def different() -> list[dict[str, Any]]:
        return list({m["id"]: m for m in plant.on("edge/test/alarm/camera-silent")}.values())

    with Mosquitto(tmp_path) as broker, Recorder(broker.port, "edge/test/#") as plant:
        daemon = DaemonProcess(tmp_path, "[alarms]", "camera_silent_s = 1", mqtt_url=broker.url)
        with daemon, daemon.camera() as camera:
            camera.send_multipart([b"dead", *frame])
            told(1)
            daemon.stop(signal.SIGKILL)
        with daemon, daemon.camera() as camera:
            told(2)
            camera.send_multipart([b"next", *frame])
            told(3)
            daemon.hang_up()
            told(4)
        first, restarted, both, reloaded = (
            (alarm["active"], alarm["count"], alarm["text"], alarm["since"]) for alarm in told(4)
        )
    assert first[:3] == (True, 1, "dead: no frames")
    assert restarted == first
    assert both[:3] == (True, 2, "next: no frames; dead: no frames")
    assert reloaded == both
