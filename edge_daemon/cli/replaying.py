"""`replay` on a terminal: progress while it runs, a table when it is done."""

import json
import math
import sys

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

from edge_daemon.cli.tables import print_table, replay_table
from edge_daemon.replay.session import ReplayRequest, run_replay
from edge_daemon.settings import Config


def parse_speed(text: str) -> float | None:
    """Read `--speed`: a factor above 0, or None for `max`.

    Raises:
        typer.BadParameter: it is neither.
    """
    if text == "max":
        return None
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise typer.BadParameter(f"{text!r}: a number above 0, or max", param_hint="--speed")
    return factor


def replay_and_print(request: ReplayRequest, config: Config, *, as_json: bool) -> None:
    """Replay with a progress bar on a terminal, then say what came of it.

    The summary goes to standard output unless the frames do.
    """
    error_console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("inspecting"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=error_console,
        disable=not error_console.is_terminal,
        transient=True,
    ) as progress:
        task = progress.add_task("inspecting", total=None)
        summary = run_replay(
            request,
            config,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    frames_go_to_stdout = request.jsonl is not None and str(request.jsonl) == "-"
    out = sys.stderr if frames_go_to_stdout else sys.stdout
    if as_json:
        out.write(json.dumps(summary.to_json(), indent=2) + "\n")
    else:
        print_table(replay_table(summary), out)
