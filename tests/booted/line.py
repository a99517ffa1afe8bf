"""A line on a booted machine: the service, a broker, a control room and cameras, each a unit."""

import json
from typing import Any, Final

from tests.booted.machine import PROGRAM, Machine
from tests.conftest import wait_until

UNIT: Final = "edge-daemon.service"
FOLDER: Final = "/etc/edge-daemon"
RECORDING: Final = "/srv/strip.mcap"
PASSWORD: Final = "known-to-the-mill"  # noqa: S105 - of a broker that lives for a test
_HEARD: Final = "/srv/heard"
_DROP_INS: Final = f"/etc/systemd/system/{UNIT}.d"
_BROKER: Final = """\
per_listener_settings true
listener 1883 127.0.0.1
password_file /srv/passwords
listener 1884 127.0.0.1
allow_anonymous true
"""


class Line:
    """What a person at the machine's console can do and see.

    Args:
        machine: booted, with the service installed.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._helpers = 0

    def reset(self) -> None:
        """The service as installed, stopped, with nothing on its books; nobody else is there."""
        run = self.machine.run
        run("systemctl", "stop", "helper-*", "edge-daemon.service", "edge-daemon@*")
        run("systemctl", "reset-failed")
        for place in ("/var/lib/edge-daemon", _DROP_INS, _HEARD, "/srv/line-1", FOLDER):
            self.machine.remove(place)
        self.machine.ask("/usr/src/edge-daemon/systemd/install.sh", "--files-only")

    def configure(self, text: str, *, name: str = "config") -> None:
        """Replace the configuration."""
        self.machine.write(f"{FOLDER}/{name}.toml", text)

    def drop_in(self, *lines: str) -> None:
        """What `systemctl edit` does."""
        self.machine.write(f"{_DROP_INS}/test.conf", "\n".join(["[Service]", *lines]) + "\n")
        self.machine.ask("systemctl", "daemon-reload")

    def start(self, unit: str = UNIT) -> None:
        """Start the service; systemd comes back when it is ready."""
        done = self.machine.run("systemctl", "start", unit)
        assert done.returncode == 0, self.machine.journal(unit)[-2000:]

    def main_pid(self, unit: str = UNIT) -> str:
        """The daemon's process, 0 while there is none."""
        return self.machine.shows(unit, "MainPID")

    def helper(self, *command: str, properties: tuple[str, ...] = ()) -> str:
        """Run a program beside the service; return its unit."""
        self._helpers += 1
        unit = f"helper-{self._helpers}"
        options = [f"--property={each}" for each in properties]
        self.machine.run("systemctl", "reset-failed", unit)
        self.machine.ask("systemd-run", "--quiet", f"--unit={unit}", *options, *command)
        return unit

    def broker(self) -> None:
        """A broker that wants a password from the daemon, and a control room that listens."""
        self.machine.write("/srv/broker.conf", _BROKER)
        make = ["mosquitto_passwd", "-b", "-c", "/srv/passwords", "edge", PASSWORD]
        self.machine.ask(*make)
        self.machine.ask("chown", "mosquitto", "/srv/passwords")
        self.helper("/usr/sbin/mosquitto", "-c", "/srv/broker.conf")
        listen = ["watch", "--json", "--mqtt", "mqtt://127.0.0.1:1884"]
        self.helper(PROGRAM, *listen, properties=(f"StandardOutput=file:{_HEARD}",))

    def camera(self, *options: str, connect: str = "tcp://127.0.0.1:5555", user: str = "") -> str:
        """A camera that plays a simulated strip again and again."""
        if not (self.machine.root / RECORDING.lstrip("/")).exists():
            make = ["--coil-length-m", "10", "--defects-per-m", "1", "--out", RECORDING]
            self.machine.ask(PROGRAM, "simulate", *make)
        play = ["camera", RECORDING, "--connect", connect, "--speed", "0.5", "--loop"]
        as_user = (f"User={user}",) if user else ()
        return self.helper(PROGRAM, *play, *options, properties=as_user)

    def metric(self, name: str, *, port: int = 9108) -> float:
        """A metric, summed over its labels; 0 while the page can't be had."""
        page = self.machine.run("curl", "-sf", f"http://127.0.0.1:{port}/metrics").stdout
        lines = [line for line in page.splitlines() if line.startswith(f"edge_daemon_{name}")]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def wait_for(self, name: str, at_least: float, *, port: int = 9108) -> None:
        """Wait until a metric has come so far."""
        wait_until(lambda: self.metric(name, port=port) >= at_least)

    def heard(self) -> list[dict[str, Any]]:
        """What the control room has got so far."""
        file = self.machine.root / _HEARD.lstrip("/")
        lines = file.read_text().splitlines() if file.exists() else []
        return [json.loads(line) for line in lines if line.endswith("}")]
