"""The demo's processes: broker, daemon, camera, all on loopback and none left running."""

import os
import shutil
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.errors import EdgeDaemonError
from edge_daemon.loopback.processes import await_true, command, free_port, running
from edge_daemon.loopback.scraping import read_metrics, total

ROOT = "edge/demo"


@dataclass(frozen=True, slots=True)
class Line:
    """The demo's addresses, all on loopback."""

    frames: str
    http: str
    broker: str | None


def find_mosquitto() -> str | None:
    """Debian puts it where a user's PATH may not look."""
    return shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def start_broker(mosquitto: str, folder: Path, exits: ExitStack) -> str:
    """A mosquitto of our own on a free port; returns its URL."""
    port = free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    log = exits.enter_context((folder / "mosquitto.log").open("wb"))
    exits.enter_context(running([mosquitto, "-c", str(settings)], stdout=log, stderr=log))
    await_true(lambda: _listens(port), "mosquitto")
    return f"mqtt://127.0.0.1:{port}"


def start_daemon(
    line: Line, folder: Path, told: Path, exits: ExitStack
) -> "subprocess.Popen[bytes]":
    """The daemon with a configuration for this line; without a broker its alerts go to `told`."""
    config = folder / "config.toml"
    mqtt = f'[mqtt]\nurl = "{line.broker}"\nroot = "{ROOT}"\n' if line.broker else ""
    config.write_text(
        f'[ingest]\nbind = "{line.frames}"\nmax_age_s = 30.0\n'
        '[[camera]]\nid = "top-1"\nmm_per_px_along = 0.5\nmm_per_px_across = 0.5\n'
        f'{mqtt}[http]\nbind = "{line.http}"\n[state]\ndirectory = "{folder / "state"}"\n',
        encoding="utf-8",
    )
    log = exits.enter_context((folder / "daemon.log").open("wb"))
    shown = log if line.broker else exits.enter_context(told.open("wb"))
    run = [*command("run"), "--config", str(config)]
    return exits.enter_context(running(run, stdout=shown, stderr=log))


def edge(verb: str, *arguments: str) -> None:
    """Run a verb to its end.

    Raises:
        EdgeDaemonError: it failed.
    """
    done = subprocess.run([*command(verb), *arguments], check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise EdgeDaemonError(f"edge-daemon {verb} ended with {done.returncode}")


def await_idle(http: str, *, sent: int) -> None:
    """Wait until the daemon has taken everything in and the broker has confirmed it."""

    def idle() -> bool:
        values = read_metrics(http)
        received = total(values, "edge_daemon_frames_received_total")
        connected = total(values, "edge_daemon_mqtt_connected") > 0
        waiting = total(values, "edge_daemon_outbox_depth") if connected else 0
        return received >= sent and waiting == 0

    await_true(idle, "the last verdict")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
