"""What the demo shows: messages, metrics, a picture, a summary."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from edge_daemon.errors import EdgeDaemonError
from edge_daemon.loopback.scraping import read_metrics
from edge_daemon.report.overlay import SheetItem, contact_sheet

_STRIPS_SHOWN = 8
_SHOWN = {
    "status": ("online", "state", "version", "bundle"),
    "coil": ("state", "coil", "to_mm", "lines_inspected", "coverage", "complete", "defects"),
    "defect": (*("class", "severity", "open", "score", "coil", "position_mm"), "length_mm"),
    "coverage": ("camera", "reason", "lines", "from_mm", "to_mm"),
    "alarm": ("name", "active", "text"),
}
_CONSOLE = Console(highlight=False)


def show_metrics(http: str) -> None:
    """Show the metrics that tell most."""
    wanted = (
        "edge_daemon_frames_received_total",
        "edge_daemon_lines_inspected_total",
        "edge_daemon_lines_not_inspected_total",
        "edge_daemon_defects_total",
        "edge_daemon_outbox_depth",
        "edge_daemon_frame_latency_seconds_sum",
        "edge_daemon_frame_latency_seconds_count",
    )
    for name, value in read_metrics(http):
        if name.partition("{")[0] in wanted and value:
            say(f"   {name} {value:g}")


def messages(told: Path) -> list[Any]:
    """All that was told so far."""
    return [json.loads(text[text.index("{") :]) for text in _lines(told)]


def _lines(told: Path) -> list[str]:
    """Whole lines that hold a message."""
    text = told.read_text(encoding="utf-8") if told.exists() else ""
    return [line for line in text.split("\n")[:-1] if "{" in line]


def show_new(told: Path, shown: int) -> int:
    """Show what came since the last look, the main fields; health, every 5 s, is left out."""
    lines = _lines(told)
    for line in lines[shown:]:
        message = json.loads(line[line.index("{") :])
        kind = message["schema"].split("/")[1]
        if kind in _SHOWN:
            said = "  ".join(f"{key}={message[key]}" for key in _SHOWN[kind] if key in message)
            say(f"   {message['seq']:4} {kind:8} {said}")
    return len(lines)


def draw(report: Path, picture: Path) -> None:
    """One picture of some defective strips, from the report's own."""
    drawn = sorted(report.glob("overlays/[0-9]*[0-9].jpg"))
    chosen = drawn[:: max(1, len(drawn) // _STRIPS_SHOWN)][:_STRIPS_SHOWN]
    items = [
        SheetItem(f"frame {int(path.stem)}", np.asarray(cv2.imread(str(path)), np.uint8))
        for path in chosen
    ]
    if items:
        cv2.imwrite(str(picture), contact_sheet(items))


def summarise(told: list[Any], out: Path) -> None:
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


def say(text: str) -> None:
    """Print a line now, also into a pipe."""
    _CONSOLE.print(text, markup=False, soft_wrap=True)
    _CONSOLE.file.flush()
