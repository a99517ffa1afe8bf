"""Keys, from the command line to a daemon that runs: who gets in, as whom, and who no longer."""

import json
from pathlib import Path
from typing import Any

import pytest

from edge_daemon.ingest.endpoint import connect_push
from edge_daemon.ingest.keys import load_login
from tests.conftest import wait_until
from tests.edge_daemon.conftest import DaemonProcess, edge_daemon
from tests.edge_daemon.marked_steel import message, steel

pytestmark = pytest.mark.timeout(300)  # for a busy computer
ROWS = 256
BLOCK = """
[[camera]]
id = "{name}"
public_key = '{public_key}'
mm_per_px_along = 0.5
mm_per_px_across = 0.5
"""


def made_keys(folder: Path, *names: str) -> list[dict[str, Any]]:
    done = edge_daemon("keys", "make", *names, "--out", folder, "--json")
    assert done.returncode == 0, done.stderr
    keys: list[dict[str, Any]] = json.loads(done.stdout)
    return keys


def refused(daemon: DaemonProcess, reason: str) -> float:
    return daemon.scrape().total("frames_rejected_total", reason=reason)


def test_a_key_lets_in_its_camera_and_no_other_until_it_is_taken_away(tmp_path: Path) -> None:
    own, top, side = made_keys(tmp_path / "keys", "top", "side")
    blocks = [BLOCK.format(**key) for key in (top, side)]
    daemon = DaemonProcess(tmp_path, *blocks)
    usual = daemon.config.read_text()
    usual = usual.replace("[ingest]\n", f'[ingest]\nsecret_key_file = "{own["file"]}"\n')
    daemon.config.write_text(usual)
    frames = [message(steel(ROWS, 1600), camera="top", seq=n, t_ns=n).parts for n in range(4)]
    logins = [load_login(Path(key["file"]), own["public_key"]) for key in (top, side)]
    with daemon:
        with (
            connect_push(daemon.frames, linger_ms=0, login=logins[0]) as camera,
            connect_push(daemon.frames, linger_ms=0, login=logins[1]) as impostor,
        ):
            camera.send_multipart(frames[0])
            daemon.await_frames(1)
            impostor.send_multipart(frames[1])
            wait_until(lambda: refused(daemon, "impostor") == 1)
            camera.send_multipart(frames[1])
            daemon.await_frames(3)
        scrape = daemon.scrape()
        assert scrape.total("frames_received_total", camera="top") == 2
        told = scrape.total("lines_inspected_total") + scrape.total("lines_not_inspected_total")
        assert told <= 2 * ROWS  # nothing of what the impostor sent
        daemon.config.write_text(usual.replace(blocks[0], ""))
        daemon.hang_up()
        wait_until(lambda: daemon.log.read_text().count("inspecting with") > 1, within_s=60)
        daemon.await_ready()
        with connect_push(daemon.frames, linger_ms=0, login=logins[0]):
            wait_until(
                lambda: daemon.scrape().total("handshake_failures_total", reason="unknown_key") > 0
            )
        assert daemon.scrape().total("frames_received_total") == 0
        assert daemon.stop() == 0


def test_nobody_gets_in_once_the_last_key_is_taken_away(tmp_path: Path) -> None:
    own, top = made_keys(tmp_path / "keys", "top")
    daemon = DaemonProcess(tmp_path, BLOCK.format(**top))
    usual = daemon.config.read_text()
    usual = usual.replace("[ingest]\n", f'[ingest]\nsecret_key_file = "{own["file"]}"\n')
    daemon.config.write_text(usual)
    parts = message(steel(ROWS, 1600), camera="top", seq=0, t_ns=0).parts
    login = load_login(Path(top["file"]), own["public_key"])
    with daemon:
        with connect_push(daemon.frames, linger_ms=0, login=login) as camera:
            camera.send_multipart(parts)
            daemon.await_frames(1)
        key = f"public_key = '{top['public_key']}'\n"
        assert key in usual
        daemon.config.write_text(usual.replace(key, ""))
        daemon.hang_up()
        wait_until(lambda: daemon.log.read_text().count("inspecting with") > 1, within_s=60)
        daemon.await_ready()
        assert "no camera can log in" in daemon.log.read_text()
        failures = "handshake_failures_total"
        with connect_push(daemon.frames, linger_ms=0, login=login):
            wait_until(lambda: daemon.scrape().total(failures, reason="unknown_key") > 0)
        with connect_push(daemon.frames, linger_ms=0):
            wait_until(lambda: daemon.scrape().total(failures, reason="no_key") > 0)
        assert daemon.scrape().total("frames_received_total") == 0
        assert daemon.stop() == 0
