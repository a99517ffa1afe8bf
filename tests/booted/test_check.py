"""`check --unit` and `keys list --unit` under a real systemd: do they see what the service sees?"""

import re

import pytest

from tests.booted.line import FOLDER, PASSWORD, UNIT, Line
from tests.booted.machine import PROGRAM

pytestmark = [pytest.mark.booted, pytest.mark.timeout(900)]  # the first one makes the machine
CHECK = (PROGRAM, "check", "--unit", "edge-daemon")
STATE = "/var/lib/edge-daemon"


def test_it_looks_into_the_service_s_folder_and_makes_none(line: Line) -> None:
    assert f"ok    state: {STATE} can be written" in line.machine.ask(*CHECK)
    line.machine.remove(STATE)
    assert f"ok    state: {STATE} isn't there yet" in line.machine.ask(*CHECK)
    line.machine.remove("/root/.local/state/edge-daemon")  # this computer's own, perhaps
    own = line.machine.ask(PROGRAM, "check")
    assert "--unit edge-daemon sees what the service sees" in own
    assert not (line.machine.root / "root/.local/state/edge-daemon").exists()
    assert not (line.machine.root / STATE.lstrip("/")).exists()


def test_a_password_and_a_key_by_credential_are_found_before_the_start(line: Line) -> None:
    line.broker()
    line.machine.write(f"{FOLDER}/mqtt-password", PASSWORD, mode=0o600)
    make = [PROGRAM, "keys", "make", "--out", f"{FOLDER}/keys", "top-1"]
    (public,) = re.findall(r"^\s*public_key = (.+)$", line.machine.ask(*make), re.MULTILINE)
    line.configure(
        f"[ingest]\nbind = 'tcp://0.0.0.0:5555'\n[mqtt]\nurl = 'mqtt://edge@127.0.0.1:1883'\n"
        f"[[camera]]\nid = 'top-1'\npublic_key = {public}\n"
        "mm_per_px_along = 0.5\nmm_per_px_across = 0.5\n"
    )
    line.drop_in(
        f"LoadCredential=mqtt-password:{FOLDER}/mqtt-password",
        "Environment=EDGE_DAEMON_MQTT_PASSWORD_FILE=%d/mqtt-password",
        f"LoadCredential=curve-key:{FOLDER}/keys/daemon.secret",
        "Environment=EDGE_DAEMON_INGEST_SECRET_KEY_FILE=%d/curve-key",
    )
    said = line.machine.ask(*CHECK)
    assert "accepts us" in said
    assert "1 cameras have one" in said
    assert "top-1" in line.machine.ask(PROGRAM, "keys", "list", "--unit", "edge-daemon")
    line.start()
    assert said.count("is free") == line.machine.ask(*CHECK).count("is in use, by the daemon") == 2


def test_a_configuration_that_the_service_may_not_read_is_78_for_both(line: Line) -> None:
    line.machine.ask("chmod", "0600", f"{FOLDER}/config.toml")
    checked = line.machine.run(*CHECK)
    assert checked.returncode == 78
    assert "Permission denied; chmod 0644" in checked.stdout
    assert line.machine.run("systemctl", "start", UNIT).returncode != 0
    assert line.machine.shows(UNIT, "ExecMainStatus") == "78"
    assert "Permission denied; chmod 0644" in line.machine.journal(UNIT)


def test_a_folder_that_the_unit_closes_is_a_fault_of_that_line_alone(line: Line) -> None:
    text = f"[evidence]\ndirectory = '{STATE}/evidence'\n"
    line.configure(text)
    assert "ok    evidence:" in line.machine.ask(*CHECK)
    line.configure(text, name="line-1")
    of_line = (PROGRAM, "check", "--unit", "edge-daemon@line-1")
    assert "may write nowhere but below" in line.machine.run(*of_line).stdout
    line.configure(text.replace("evidence'", "line-1/evidence'"), name="line-1")
    line.machine.ask(*of_line)


def test_a_socket_whose_folder_comes_with_the_service_is_no_fault(line: Line) -> None:
    line.configure("[ingest]\nbind = 'ipc:///run/edge-daemon/frames'\n")
    assert "systemd makes its folder" in line.machine.ask(*CHECK)
    line.start()
    assert "is in use, by the daemon" in line.machine.ask(*CHECK)


def test_what_cannot_be_looked_at_is_said(line: Line) -> None:
    unknown = line.machine.run(PROGRAM, "check", "--unit", "edge-deamon")
    assert unknown.returncode == 1
    assert "systemd has no edge-deamon.service" in unknown.stderr
    asks = ["setpriv", "--reuid=edge-daemon", "--clear-groups", *CHECK]
    assert "run this as root" in line.machine.run(*asks).stderr
    line.drop_in("Environment=A=1")
    line.start()  # systemd forgets a unit that is stopped, and reads it anew
    line.machine.write(f"/etc/systemd/system/{UNIT}.d/test.conf", "[Service]\n")
    assert "daemon-reload" in line.machine.run(*CHECK).stderr


@pytest.mark.parametrize(
    ("spoil", "drop_in", "status"),
    [
        (("chmod", "0700", "/opt/edge-daemon"), (), "203"),
        (("true",), ("LoadCredential=gone:/etc/edge-daemon/gone",), "243"),
    ],
)
def test_the_exit_status_is_that_of_the_table(
    line: Line, spoil: tuple[str, ...], drop_in: tuple[str, ...], status: str
) -> None:
    line.drop_in(*drop_in)
    line.machine.ask(*spoil)
    try:
        line.machine.run("systemctl", "start", "--no-block", UNIT)
        line.machine.ask("sleep", "1")
        assert line.machine.shows(UNIT, "ExecMainStatus") == status
    finally:
        line.machine.ask("chmod", "0755", "/opt/edge-daemon")
