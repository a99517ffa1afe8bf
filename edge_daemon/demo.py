"""`make demo`: the whole way on one box, in a minute, with real processes and real sockets.

A simulated line is drawn into a recording. The daemon runs with the shipped bundle on the CPU, a
camera process sends it the recording over ZeroMQ, and a subscriber shows the alerts. With mosquitto
installed they go over a broker of the demo's own; without one the daemon shows what it would send.
In the end the same recording is replayed into a report with pictures. Needs no root and leaves
nothing running.
"""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Any

import cv2
import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from edge_daemon.errors import EdgeDaemonError
from edge_daemon.recordings.recording import count_frames
from edge_daemon.report.overlay import SheetItem, contact_sheet

_PATIENCE_S = 60.0
_POLL_S = 0.1
_STRIPS_SHOWN = 8
_ROOT = "edge/demo"
_SHOWN = {
    "status": ("online", "state", "version", "bundle"),
    "coil": ("state", "coil", "to_mm", "lines_inspected", "coverage", "complete", "defects"),
    "defect": (*("class", "severity", "score", "coil", "position_mm"), "length_mm", "width_mm"),
    "coverage": ("camera", "reason", "lines", "from_mm", "to_mm"),
    "alarm": ("name", "active", "text"),
}
_CONSOLE = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Line:
    """The demo's addresses, all on loopback."""

    frames: str
    http: str
    broker: str | None


def main(
    out: Annotated[Path, typer.Option(help="Folder for recording, report and picture.")],
    coils: Annotated[int, typer.Option(min=1)] = 2,
    coil_length_m: Annotated[float, typer.Option(min=0.2)] = 4.0,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    fps: Annotated[float, typer.Option(min=0.1, help="Frames per second of the camera.")] = 4.0,
) -> None:
    """Show the daemon at work on a simulated line."""
    out.mkdir(parents=True, exist_ok=True)
    recording = out / "line.mcap"
    _say("1. A synthetic line with pits, inclusions, scratches, patches and a roll mark")
    drawing = ["--coils", str(coils), "--coil-length-m", str(coil_length_m), "--seed", str(seed)]
    _edge("simulate", "--out", str(recording), *drawing, "--defects-per-m", "1.5")
    with tempfile.TemporaryDirectory(prefix="edge-daemon-demo-") as folder, ExitStack() as exits:
        told = _inspect(recording, Path(folder), fps=fps, exits=exits)
    _say("5. The same recording through `edge-daemon replay`, with a report")
    report = out / "report"
    _edge("replay", str(recording), "--report", str(report), "--jsonl", str(out / "frames.jsonl"))
    _draw(report, out / "strips.png")
    _summarise(told, out)


def _inspect(recording: Path, folder: Path, *, fps: float, exits: ExitStack) -> list[Any]:
    """Daemon, camera, subscriber; returns the messages that the subscriber got."""
    line = Line(
        frames=f"tcp://127.0.0.1:{_free_port()}",
        http=f"127.0.0.1:{_free_port()}",
        broker=_start_broker(folder, exits),
    )
    told = folder / "told.txt"
    _say("2. The daemon: shipped bundle, CPU, frames over ZeroMQ")
    if line.broker is None:
        _say("   no mosquitto on this machine: the daemon keeps the alerts and shows them")
    else:
        _say(f"   alerts go to a mosquitto at {line.broker}")
        watcher = [*_command("watch"), "--mqtt", line.broker, "--root", _ROOT, "--json"]
        messages = exits.enter_context(told.open("wb"))
        exits.enter_context(_running(watcher, stdout=messages, stderr=sys.stderr))
    daemon = _start_daemon(line, folder, told, exits)
    _await_ready(line.http, daemon, folder / "daemon.log")
    _say(f"3. A camera sends {fps:g} frames/s; what SCADA gets (event/coil, event/defect, ...):")
    camera = [*_command("camera"), str(recording), "--connect", line.frames, "--fps", str(fps)]
    shown = 0
    with subprocess.Popen([*camera, "--wait"], stdout=subprocess.DEVNULL) as sending:  # noqa: S603 - our own command
        while sending.poll() is None:
            shown = _show_new(told, shown)
            time.sleep(_POLL_S)
    if sending.returncode != 0:
        raise EdgeDaemonError("the camera process failed; its message stands above")
    _await_idle(line.http, sent=count_frames(recording) or 0)
    time.sleep(1.0)  # for the last alert to come back from the broker
    _show_new(told, shown)
    _say(f"4. Metrics, as Prometheus reads them from http://{line.http}/metrics")
    _show_metrics(line.http)
    return _messages(told)


def _start_broker(folder: Path, exits: ExitStack) -> str | None:
    """A mosquitto of our own on a free port, where one is installed."""
    mosquitto = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if mosquitto is None:
        return None
    port = _free_port()
    settings = folder / "mosquitto.conf"
    settings.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    log = exits.enter_context((folder / "mosquitto.log").open("wb"))
    exits.enter_context(_running([mosquitto, "-c", str(settings)], stdout=log, stderr=log))
    _await(lambda: _listens(port), "mosquitto")
    return f"mqtt://127.0.0.1:{port}"


def _start_daemon(
    line: Line, folder: Path, told: Path, exits: ExitStack
) -> "subprocess.Popen[bytes]":
    config = folder / "config.toml"
    mqtt = f'[mqtt]\nurl = "{line.broker}"\nroot = "{_ROOT}"\n' if line.broker else ""
    config.write_text(
        f'[ingest]\nbind = "{line.frames}"\nmax_age_s = 30.0\n'
        '[[camera]]\nid = "top-1"\nmm_per_px_along = 0.5\nmm_per_px_across = 0.5\n'
        f'{mqtt}[http]\nbind = "{line.http}"\n[state]\ndirectory = "{folder / "state"}"\n',
        encoding="utf-8",
    )
    log = exits.enter_context((folder / "daemon.log").open("wb"))
    shown = log if line.broker else exits.enter_context(told.open("wb"))
    run = [*_command("run"), "--config", str(config)]
    return exits.enter_context(_running(run, stdout=shown, stderr=log))


def _command(verb: str) -> list[str]:
    return [sys.executable, "-m", "edge_daemon", verb]


def _edge(verb: str, *arguments: str) -> None:
    """Run a verb to its end.

    Raises:
        EdgeDaemonError: it failed.
    """
    done = subprocess.run([*_command(verb), *arguments], check=False)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise EdgeDaemonError(f"edge-daemon {verb} ended with {done.returncode}")


@contextlib.contextmanager
def _running(
    command: list[str], *, stdout: IO[bytes], stderr: IO[Any]
) -> "Iterator[subprocess.Popen[bytes]]":
    """A process for as long as the block lasts."""
    with subprocess.Popen(command, stdout=stdout, stderr=stderr) as process:  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def _await_ready(http: str, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    def ready() -> bool:
        if daemon.poll() is not None:
            said = log.read_text(encoding="utf-8")
            raise EdgeDaemonError(f"the daemon ended with {daemon.returncode}:\n{said}")
        return _get(f"http://{http}/readyz") is not None

    _await(ready, "the daemon")


def _await_idle(http: str, *, sent: int) -> None:
    """Wait until the daemon has taken everything in and the broker has confirmed it."""

    def idle() -> bool:
        values = _metrics(http)
        received = _sum(values, "edge_daemon_frames_received_total")
        connected = _sum(values, "edge_daemon_mqtt_connected") > 0
        waiting = _sum(values, "edge_daemon_outbox_depth") if connected else 0
        return received >= sent and waiting == 0

    _await(idle, "the last verdict")


def _await(reached: Any, what: str) -> None:  # noqa: ANN401 - a callable without arguments
    deadline = time.monotonic() + _PATIENCE_S
    while not reached():
        if time.monotonic() > deadline:
            raise EdgeDaemonError(f"waited {_PATIENCE_S:g} s for {what}")
        time.sleep(_POLL_S)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback, our own
            return str(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def _metrics(http: str) -> list[tuple[str, float]]:
    """Samples of a scrape: name with labels, value."""
    text = _get(f"http://{http}/metrics") or ""
    samples = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return [(name, float(value)) for name, _, value in samples if name]


def _sum(samples: list[tuple[str, float]], name: str) -> float:
    return sum(value for key, value in samples if key.partition("{")[0] == name)


def _show_metrics(http: str) -> None:
    wanted = (
        "edge_daemon_frames_received_total",
        "edge_daemon_lines_inspected_total",
        "edge_daemon_lines_not_inspected_total",
        "edge_daemon_defects_total",
        "edge_daemon_outbox_depth",
        "edge_daemon_frame_latency_seconds_sum",
        "edge_daemon_frame_latency_seconds_count",
    )
    for name, value in _metrics(http):
        if name.partition("{")[0] in wanted and value:
            _say(f"   {name} {value:g}")


def _messages(told: Path) -> list[Any]:
    return [json.loads(text[text.index("{") :]) for text in _lines(told)]


def _lines(told: Path) -> list[str]:
    """Whole lines that hold a message."""
    text = told.read_text(encoding="utf-8") if told.exists() else ""
    return [line for line in text.split("\n")[:-1] if "{" in line]


def _show_new(told: Path, shown: int) -> int:
    """Show what came since the last look, the main fields; health, every 5 s, is left out."""
    lines = _lines(told)
    for line in lines[shown:]:
        message = json.loads(line[line.index("{") :])
        kind = message["schema"].split("/")[1]
        if kind in _SHOWN:
            said = "  ".join(f"{key}={message[key]}" for key in _SHOWN[kind] if key in message)
            _say(f"   {message['seq']:4} {kind:8} {said}")
    return len(lines)


def _draw(report: Path, picture: Path) -> None:
    """One picture of some defective strips, from the report's own."""
    drawn = sorted(report.glob("overlays/[0-9]*[0-9].jpg"))
    chosen = drawn[:: max(1, len(drawn) // _STRIPS_SHOWN)][:_STRIPS_SHOWN]
    items = [
        SheetItem(f"frame {int(path.stem)}", np.asarray(cv2.imread(str(path)), np.uint8))
        for path in chosen
    ]
    if items:
        cv2.imwrite(str(picture), contact_sheet(items))


def _summarise(told: list[Any], out: Path) -> None:
    """Say what came of it.

    Raises:
        EdgeDaemonError: no alert came.
    """
    kinds = Counter(message["schema"].split("/")[1] for message in told)
    classes = Counter(m["class"] for m in told if m["schema"].startswith("edge-daemon/defect"))
    if not kinds["defect"]:
        raise EdgeDaemonError("no defect was told; that is not what this demo should show")
    table = Table(title="Summary", show_header=False)
    for kind, count in sorted(kinds.items()):
        table.add_row(f"{kind} messages", str(count))
    for name, count in sorted(classes.items()):
        table.add_row(f"  {name}", str(count))
    for name in ("strips.png", "report/index.html", "frames.jsonl", "line.mcap"):
        table.add_row(name, str((out / name).resolve()))
    _CONSOLE.print(table)


def _say(text: str) -> None:
    _CONSOLE.print(text, markup=False, soft_wrap=True)
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        typer.run(main)
    except EdgeDaemonError as failure:
        sys.exit(f"demo: {failure}")
