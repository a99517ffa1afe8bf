import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq

from edge_daemon.check import check
from edge_daemon.findings import Finding
from edge_daemon.ingest.endpoint import bind_pull, connect_push
from edge_daemon.ingest.keys import make_pair, write_secret
from tests.conftest import Mosquitto, free_port
from tests.edge_daemon.conftest import DaemonProcess

SUBJECTS = ["configuration", "bundle", "state", "cameras", "http", "broker"]


def findings(config: Path) -> dict[str, Finding]:
    return {finding.subject: finding for finding in check(config)}


def faults(found: dict[str, Finding]) -> list[str]:
    return [subject for subject, finding in found.items() if not finding.ok]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return DaemonProcess(tmp_path).config


def test_a_box_in_order_has_no_fault_and_every_finding_says_what_was_found(
    tmp_path: Path, mosquitto: Mosquitto
) -> None:
    daemon = DaemonProcess(tmp_path, mqtt_url=mosquitto.url)
    found = findings(daemon.config)
    assert list(found) == SUBJECTS
    assert faults(found) == []
    assert "steel-nano" in found["bundle"].detail
    assert found["state"].detail == f"{daemon.state} isn't there yet; it will be made"
    assert found["cameras"].detail == f"{daemon.frames} is free"
    assert found["http"].detail == f"{daemon.http} is free"
    assert found["broker"].detail == f"127.0.0.1:{mosquitto.port} accepts us"
    assert not daemon.state.exists()  # looking makes nothing


def test_no_broker_is_no_fault_but_is_said(config: Path) -> None:
    found = findings(config)
    assert found["broker"].ok
    assert "not sent" in found["broker"].detail


def test_a_wrong_configuration_is_the_only_finding(config: Path) -> None:
    config.write_text("[ingest]\nqueue = 3\n")
    found = findings(config)
    assert list(found) == ["configuration"]
    assert "config.toml, line 2: ingest.queue: unknown key" in found["configuration"].detail


def test_everything_that_is_wrong_is_found_at_once(tmp_path: Path) -> None:
    nobody = f"mqtt://127.0.0.1:{free_port()}"
    daemon = DaemonProcess(tmp_path, "[bundle]", f'path = "{tmp_path}/none"', mqtt_url=nobody)
    (tmp_path / "state").write_text("no folder")
    http_port = int(daemon.http.rpartition(":")[2])
    with socket.create_server(("127.0.0.1", http_port)), bind_pull(daemon.frames, max_part_bytes=9):
        found = findings(daemon.config)
    assert faults(found) == SUBJECTS[1:]
    assert f"{tmp_path}/none" in found["bundle"].detail
    assert "[state] directory" in found["state"].detail
    assert f"[ingest] bind: {daemon.frames}" in found["cameras"].detail
    assert "stop the daemon" in found["cameras"].detail
    assert f'[http] bind = "{daemon.http}"' in found["http"].detail
    assert "stop what listens there" in found["http"].detail
    assert "alerts would be kept" in found["broker"].detail


def test_a_broker_that_does_not_let_us_in_is_named(
    tmp_path: Path, mosquitto_with: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_with("allow_anonymous false")
    detail = findings(DaemonProcess(tmp_path, mqtt_url=broker.url).config)["broker"].detail
    assert f"127.0.0.1:{broker.port}: refused: Not authorized" in detail


def test_settings_that_do_not_go_together_are_named(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, 'password_file = "secret"', mqtt_url="mqtt://127.0.0.1:1")
    assert "a password needs a user" in findings(daemon.config)["broker"].detail


def test_it_takes_nothing_away_from_a_daemon_that_runs(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path}/frames"
    daemon = DaemonProcess(tmp_path)
    daemon.config.write_text(daemon.config.read_text().replace(daemon.frames, endpoint))
    with bind_pull(endpoint, max_part_bytes=1000) as running:
        assert faults(findings(daemon.config)) == ["cameras"]
        with connect_push(endpoint, linger_ms=2000) as camera:
            assert camera.poll(5000, zmq.POLLOUT)
            camera.send(b"frame")
        assert running.poll(5000)
        assert running.recv() == b"frame"


def test_a_daemon_that_runs_is_no_fault_and_what_else_is_taken_is(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path) as daemon:
        found = findings(daemon.config)
        assert faults(found) == []
        assert found["cameras"].detail == f"{daemon.frames} is in use, by the daemon that runs"
        assert found["http"].detail == f"{daemon.http} is in use, by the daemon that runs"
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = f"127.0.0.1:{other.getsockname()[1]}"
            daemon.config.write_text(daemon.config.read_text().replace(daemon.http, taken))
            assert faults(findings(daemon.config)) == ["http"]


def test_cameras_and_pages_at_one_address_are_a_fault(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path)
    clash = daemon.frames.removeprefix("tcp://")
    daemon.config.write_text(daemon.config.read_text().replace(daemon.http, clash))
    assert faults(findings(daemon.config)) == ["http"]


def test_the_folder_for_evidence_is_tried_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    daemon = DaemonProcess(tmp_path, "[evidence]", f'directory = "{folder}"')
    assert findings(daemon.config)["evidence"].ok
    assert not folder.exists()
    folder.write_text("no folder")
    found = findings(daemon.config)
    assert faults(found) == ["evidence"]
    assert "[evidence] directory" in found["evidence"].detail


def test_cameras_none_of_which_can_log_in_are_said(tmp_path: Path) -> None:
    secret = tmp_path / "daemon.secret"
    write_secret(secret, make_pair(), of="the daemon")
    camera = ["[[camera]]", 'id = "top"', "mm_per_px_along = 1", "mm_per_px_across = 1"]
    daemon = DaemonProcess(tmp_path, *camera)
    text = daemon.config.read_text()
    text = text.replace("[ingest]\n", f'[ingest]\nsecret_key_file = "{secret}"\n')
    daemon.config.write_text(text)
    assert "no camera can log in" in findings(daemon.config)["keys"].detail
