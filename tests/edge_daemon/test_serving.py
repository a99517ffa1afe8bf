import signal
from pathlib import Path

import pytest

from tests.conftest import free_port, wait_until
from tests.edge_daemon.conftest import DaemonProcess, messages_of

pytestmark = pytest.mark.timeout(300)  # for a busy computer


def test_a_bad_configuration_leaves_the_old_one_in_use(tmp_path: Path, recording: Path) -> None:
    messages = messages_of(recording)[:4]
    with DaemonProcess(tmp_path) as daemon, daemon.camera() as camera:
        daemon.config.write_text(daemon.config.read_text() + "[nonsense]\n")
        camera.send_multipart(messages[0])
        daemon.await_frames(1)
        daemon.hang_up()
        wait_until(lambda: daemon.scrape().total("config_reload_success") == 0)
        camera.send_multipart(messages[1])
        daemon.await_frames(2)
        assert "nonsense" in daemon.log.read_text()
        assert daemon.stop() == 0


def test_a_good_configuration_is_taken_in_the_same_process_and_its_cameras_go_on(
    tmp_path: Path, recording: Path
) -> None:
    messages = messages_of(recording)[:4]
    with DaemonProcess(tmp_path) as daemon, daemon.camera() as camera:
        pid, new = daemon.pid, f"127.0.0.1:{free_port()}"
        camera.send_multipart(messages[0])
        daemon.await_frames(1)
        daemon.config.write_text(daemon.config.read_text().replace(daemon.http, new))
        daemon.http = new
        daemon.hang_up()
        daemon.await_ready()
        assert daemon.pid == pid
        camera.send_multipart(messages[1])
        daemon.await_frames(1)
        assert daemon.scrape().total("lines_not_inspected_total") == 0
        assert daemon.scrape().total("config_reload_success") == 1
        assert daemon.stop() == 0


def test_a_configuration_that_does_not_start_is_followed_by_the_old_one(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path) as daemon:
        before = daemon.config.read_text()
        daemon.config.write_text(before.replace(daemon.frames, "tcp://127.0.0.99:1"))
        with daemon.holding("tcp://127.0.0.99:1"):
            daemon.hang_up()
            wait_until(lambda: "back to the old one" in daemon.log.read_text(), within_s=60)
            daemon.await_ready()
        assert daemon.scrape().total("config_reload_success") == 0
        assert daemon.stop() == 0


def test_told_to_stop_while_it_reloads_it_stops(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path) as daemon:
        daemon.hang_up()
        assert daemon.stop(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("key", "line"),
    [("[mqtt] root", 'root = "edge/other"'), ("[state] directory", 'directory = "{folder}/other"')],
)
def test_alerts_that_wait_are_not_left_behind_by_a_new_configuration(
    key: str, line: str, tmp_path: Path
) -> None:
    with DaemonProcess(tmp_path) as daemon:
        name = line.split(" = ", maxsplit=1)[0]
        changed = [
            line.format(folder=tmp_path) if old.startswith(f"{name} = ") else old
            for old in daemon.config.read_text().splitlines()
        ]
        daemon.config.write_text("\n".join(changed))
        daemon.hang_up()
        wait_until(lambda: f"{key} has changed" in daemon.log.read_text())
        assert daemon.scrape().total("config_reload_success") == 0
        assert daemon.stop() == 0


def test_the_same_state_folder_written_another_way_is_no_other(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path) as daemon:
        (tmp_path / "a").mkdir()
        text = daemon.config.read_text()
        again = f"{tmp_path}/a/../state/"
        daemon.config.write_text(text.replace(str(daemon.state), again))
        daemon.hang_up()
        wait_until(lambda: daemon.log.read_text().count("inspecting with") > 1, within_s=60)
        assert "has changed" not in daemon.log.read_text()
        daemon.await_ready()
        assert daemon.stop() == 0
