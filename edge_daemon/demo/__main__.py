"""`make demo`: the whole way on one box, in a minute, with real processes and real sockets.

A simulated line is drawn into a recording. The daemon runs with the shipped bundle on the CPU, a
camera process sends it the recording over ZeroMQ, and a subscriber shows the alerts. With mosquitto
installed they go over a broker of the demo's own; without one the daemon shows what it would send.
In the end the same recording is replayed into a report with pictures. Needs no root and leaves
nothing running.
"""

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from edge_daemon.demo.processes import (
    ROOT,
    Line,
    await_idle,
    edge,
    find_mosquitto,
    start_broker,
    start_daemon,
)
from edge_daemon.demo.showing import draw, messages, say, show_metrics, show_new, summarise
from edge_daemon.errors import EdgeDaemonError
from edge_daemon.loopback.processes import POLL_S, await_ready, command, free_port, running
from edge_daemon.recordings.recording import count_frames


def main(
    out: Annotated[Path, typer.Option(help="Folder for recording, report and picture.")],
    coils: Annotated[int, typer.Option(min=1)] = 2,
    coil_length_m: Annotated[float, typer.Option(min=0.2)] = 4.0,
    seed: Annotated[int, typer.Option(min=0)] = 11,
    fps: Annotated[float, typer.Option(min=0.1, help="Frames per second of the camera.")] = 4.0,
    *,
    broker: Annotated[bool, typer.Option(help="Use mosquitto where it is installed.")] = True,
) -> None:
    """Show the daemon at work on a simulated line."""
    out.mkdir(parents=True, exist_ok=True)
    recording = out / "line.mcap"
    say("1. A synthetic line with pits, inclusions, scratches, patches and a roll mark")
    drawing = ["--coils", str(coils), "--coil-length-m", str(coil_length_m), "--seed", str(seed)]
    edge("simulate", "--out", str(recording), *drawing, "--defects-per-m", "1.5", "--overwrite")
    with tempfile.TemporaryDirectory(prefix="edge-daemon-demo-") as folder, ExitStack() as exits:
        wanted = find_mosquitto() if broker else None
        told = _inspect(recording, Path(folder), mosquitto=wanted, fps=fps, exits=exits)
    say("5. The same recording through `edge-daemon replay`, with a report")
    report = out / "report"
    edge("replay", str(recording), "--report", str(report), "--jsonl", str(out / "frames.jsonl"))
    draw(report, out / "strips.png")
    summarise(told, out)


def _inspect(
    recording: Path, folder: Path, *, mosquitto: str | None, fps: float, exits: ExitStack
) -> list[Any]:
    """Daemon, camera, subscriber; returns the messages that the subscriber got."""
    line = Line(
        frames=f"tcp://127.0.0.1:{free_port()}",
        http=f"127.0.0.1:{free_port()}",
        broker=None if mosquitto is None else start_broker(mosquitto, folder, exits),
    )
    told = folder / "told.txt"
    say("2. The daemon: shipped bundle, CPU, frames over ZeroMQ")
    if line.broker is None:
        say("   no mosquitto here: the daemon keeps the alerts and shows them")
    else:
        say(f"   alerts go to a mosquitto at {line.broker}")
        watcher = [*command("watch"), "--mqtt", line.broker, "--root", ROOT, "--json"]
        received = exits.enter_context(told.open("wb"))
        exits.enter_context(running(watcher, stdout=received, stderr=sys.stderr))
    daemon = start_daemon(line, folder, told, exits)
    await_ready(line.http, daemon, folder / "daemon.log")
    say(f"3. A camera sends {fps:g} frames/s; what SCADA gets (event/coil, event/defect, ...):")
    camera = [*command("camera"), str(recording), "--connect", line.frames, "--fps", str(fps)]
    shown = 0
    with subprocess.Popen([*camera, "--wait"], stdout=subprocess.DEVNULL) as sending:  # noqa: S603 - our own command
        while sending.poll() is None:
            shown = show_new(told, shown)
            time.sleep(POLL_S)
    if sending.returncode != 0:
        raise EdgeDaemonError("the camera process failed; its message stands above")
    await_idle(line.http, sent=count_frames(recording) or 0)
    time.sleep(3.0)  # the strip stands now: what is still open is told after two seconds
    show_new(told, shown)
    say(f"4. Metrics, as Prometheus reads them from http://{line.http}/metrics")
    show_metrics(line.http)
    return messages(told)


if __name__ == "__main__":
    try:
        typer.run(main)
    except EdgeDaemonError as failure:
        sys.exit(f"demo: {failure}")
