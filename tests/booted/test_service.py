"""The unit under a real systemd: does what is said of it come true?

`make booted`; it wants root, systemd-nspawn and overlayfs, and skips with the reason elsewhere.
"""

import re
import time

import pytest

from tests.booted.line import FOLDER, PASSWORD, UNIT, Line
from tests.booted.machine import PROGRAM
from tests.conftest import wait_until

pytestmark = [pytest.mark.booted, pytest.mark.timeout(900)]  # the first one makes the machine
CREDENTIALS = (
    f"LoadCredential=mqtt-password:{FOLDER}/mqtt-password",
    "Environment=EDGE_DAEMON_MQTT_PASSWORD_FILE=%d/mqtt-password",
)
WATCHDOG_S = 15
SCALE = "mm_per_px_along = 0.5\nmm_per_px_across = 0.5\n"


def test_it_starts_as_installed_is_ready_and_stops(line: Line) -> None:
    line.machine.ask(PROGRAM, "check")
    line.start()
    assert line.machine.shows(UNIT, "ActiveState") == "active"
    assert line.machine.shows(UNIT, "StatusText").startswith("inspecting with ")
    line.machine.ask("curl", "-sf", "http://127.0.0.1:9108/readyz")
    line.machine.ask("systemctl", "stop", UNIT)
    assert line.machine.shows(UNIT, "Result") == "success"
    assert line.machine.shows(UNIT, "ExecMainStatus") == "0"


def test_its_process_has_no_way_out_of_its_room(line: Line) -> None:
    line.start()
    status = line.machine.ask("cat", f"/proc/{line.main_pid()}/status")
    held = re.findall(r"^(CapEff|CapBnd|NoNewPrivs|Seccomp):\s+(\w+)", status, re.MULTILINE)
    assert dict(held) == {
        "CapEff": "0" * 16,
        "CapBnd": "0" * 16,
        "NoNewPrivs": "1",
        "Seccomp": "2",
    }
    inside = ["nsenter", "--target", line.main_pid(), "--mount", "--"]
    for place in ("/etc", "/usr", "/opt/edge-daemon"):
        refused = line.machine.run(*inside, "touch", f"{place}/it-was-here")
        assert "Read-only file system" in refused.stderr
    line.machine.ask(*inside, "touch", "/var/lib/edge-daemon/it-was-here")
    assert line.machine.ask(*inside, "ls", "-A", "/home") == ""


def test_alerts_go_out_with_a_password_that_nobody_sees(line: Line) -> None:
    line.broker()
    line.machine.write(f"{FOLDER}/mqtt-password", PASSWORD, mode=0o600)
    line.configure('[mqtt]\nurl = "mqtt://edge@127.0.0.1:1883"\nroot = "mill/line"\n')
    line.drop_in(*CREDENTIALS)
    line.start()
    line.camera()
    line.wait_for("lines_inspected_total", 10_000)
    line.machine.ask("systemctl", "stop", UNIT)
    wait_until(lambda: any(m.get("state") == "stopped" for m in line.heard()))
    kinds = [message["schema"] for message in line.heard()]
    assert "edge-daemon/defect/v1" in kinds
    environ = line.machine.shows(UNIT, "Environment")
    assert PASSWORD not in environ + line.machine.journal(UNIT)


def test_a_camera_needs_the_key_that_was_made_for_it(line: Line) -> None:
    make = [PROGRAM, "keys", "make", "--out", f"{FOLDER}/keys", "top-1", "top-2"]
    printed = line.machine.ask(*make)
    public = re.findall(r"^\s*public_key = (.+)$", printed, re.MULTILINE)
    assert len(public) == 2
    (server_key,) = set(re.findall(r"--server-key '([^']{40})'", printed))
    cameras = "".join(
        f'[[camera]]\nid = "top-{number}"\npublic_key = {key}\n{SCALE}'
        for number, key in enumerate(public, start=1)
    )
    line.configure(cameras)
    line.drop_in(
        f"LoadCredential=curve-key:{FOLDER}/keys/daemon.secret",
        "Environment=EDGE_DAEMON_INGEST_SECRET_KEY_FILE=%d/curve-key",
    )
    line.start()
    line.camera("--camera", "top-2")  # without any key
    secret = f"{FOLDER}/keys/camera-top-1.secret"
    line.camera("--secret-key", secret, "--server-key", server_key, "--camera", "top-1")
    line.wait_for('lines_inspected_total{camera="top-1"}', 1000)
    line.wait_for("handshake_failures_total", 1)
    assert line.metric('frames_received_total{camera="top-2"}') == 0


def test_the_watchdog_kills_what_stands_and_a_new_one_books_the_gap(line: Line) -> None:
    line.start()
    line.camera()
    line.wait_for("lines_inspected_total", 1000)
    before = line.main_pid()
    line.machine.ask("kill", "-STOP", before)
    stopped_s = time.monotonic()
    wait_until(lambda: line.main_pid() not in {before, "0"}, within_s=2 * WATCHDOG_S)
    assert time.monotonic() - stopped_s > WATCHDOG_S / 2
    assert line.machine.shows(UNIT, "NRestarts") == "1"
    line.wait_for('lines_not_inspected_total{camera="top-1",reason="daemon_restart"}', 1)
    journal = line.machine.journal(UNIT)
    assert "Watchdog timeout" in journal
    assert "most recent call first" in journal  # where each thread stood


def test_it_is_started_again_however_often_it_is_killed(line: Line) -> None:
    line.start()
    line.camera()
    for death in range(1, 7):  # systemd gives up after 5 within 10 s, unless the unit says no
        line.wait_for("lines_inspected_total", 1)
        line.machine.ask("kill", "-KILL", line.main_pid())
        wait_until(lambda: line.machine.shows(UNIT, "NRestarts") == str(death))  # noqa: B023 - called here
    line.wait_for("lines_inspected_total", 1)
    assert line.machine.shows(UNIT, "ActiveState") == "active"


def test_a_wrong_configuration_is_left_alone_until_somebody_mends_it(line: Line) -> None:
    line.configure("[ingest]\nbnid = []\n")
    assert line.machine.run("systemctl", "start", UNIT).returncode != 0
    assert line.machine.shows(UNIT, "ExecMainStatus") == "78"
    time.sleep(3)  # longer than systemd waits before it starts a unit again
    assert line.machine.shows(UNIT, "NRestarts") == "0"
    assert "bnid" in line.machine.journal(UNIT)
    line.configure("")
    line.start()


def test_a_reload_takes_a_good_file_and_leaves_a_bad_one(line: Line) -> None:
    line.start()
    before = line.main_pid()
    line.configure("[http]\nbind = '127.0.0.1:9200'\n")
    line.machine.ask("systemctl", "reload", UNIT)
    line.wait_for("config_reload_success", 1, port=9200)
    line.configure("[http]\nbind = '127.0.0.1:port'\n")
    line.machine.run("systemctl", "reload", UNIT)
    wait_until(lambda: "config_reload_success 0.0" in _page(line, port=9200))
    assert line.main_pid() == before
    assert line.machine.shows(UNIT, "ActiveState") == "active"


def test_two_lines_run_beside_each_other(line: Line) -> None:
    for number in (1, 2):
        line.configure(
            f"[ingest]\nbind = 'tcp://127.0.0.1:600{number}'\n"
            f"[http]\nbind = '127.0.0.1:910{number}'\n[mqtt]\nroot = 'mill/{number}'\n",
            name=f"line-{number}",
        )
        line.start(f"edge-daemon@line-{number}")
    line.camera(connect="tcp://127.0.0.1:6002")
    line.wait_for("lines_inspected_total", 1000, port=9102)
    assert line.metric("lines_inspected_total", port=9101) == 0
    line.machine.ask("systemctl", "stop", "edge-daemon@line-1")
    assert line.machine.shows("edge-daemon@line-2", "ActiveState") == "active"
    kept = line.machine.ask("ls", "/var/lib/edge-daemon").split()
    assert set(kept) >= {"line-1", "line-2"}


def test_a_camera_on_the_same_computer_needs_the_group(line: Line) -> None:
    line.configure("[ingest]\nbind = 'ipc:///run/edge-daemon/frames'\n")
    line.start()
    line.machine.run("useradd", "--system", "--groups", "edge-daemon", "a-camera")
    line.machine.run("useradd", "--system", "a-stranger")
    line.camera("--camera", "strange", connect="ipc:///run/edge-daemon/frames", user="a-stranger")
    line.camera("--camera", "known", connect="ipc:///run/edge-daemon/frames", user="a-camera")
    line.wait_for('lines_inspected_total{camera="known"}', 1000)
    assert line.metric('frames_received_total{camera="strange"}') == 0


def test_an_upgrade_and_an_uninstallation_keep_what_is_remembered(line: Line) -> None:
    line.start()
    line.camera()
    line.wait_for("lines_inspected_total", 1000)
    line.machine.ask("/usr/src/edge-daemon/systemd/install.sh", "--files-only")
    line.machine.ask("systemctl", "restart", UNIT)
    line.wait_for('lines_not_inspected_total{camera="top-1",reason="daemon_restart"}', 1)
    line.machine.ask("cp", "-a", "/opt/edge-daemon", "/opt/kept")
    try:
        for _ in range(2):
            line.machine.ask("/usr/src/edge-daemon/systemd/install.sh", "--uninstall")
        assert line.machine.shows(UNIT, "LoadState") == "not-found"
        line.machine.ask("test", "-s", "/var/lib/edge-daemon/outbox.sqlite3")
        line.machine.ask("test", "-s", f"{FOLDER}/config.toml")
    finally:
        line.machine.ask("mv", "/opt/kept", "/opt/edge-daemon")


def _page(line: Line, *, port: int) -> str:
    return line.machine.run("curl", "-sf", f"http://127.0.0.1:{port}/metrics").stdout
