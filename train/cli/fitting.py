"""`fit`: a run's progress on a terminal or in a log file, from one process of perhaps several."""

import os
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from edge_daemon.simulation.strips import draw_strip
from train.cli.printing import say
from train.config import load_config
from train.display import show_progress
from train.fitting.loop import fit
from train.runs import RunFolder


def fit_and_print(run: Path, config: Path | None, overrides: Sequence[str]) -> None:
    """Train until the last step or until asked to stop; of several processes the first tells."""
    folder = RunFolder(run)
    settings = load_config(config or folder.saved_config(), list(overrides))
    # torchrun numbers its processes; without it there is only this one
    out = Console(highlight=False, quiet=os.environ.get("RANK", "0") != "0")
    with show_progress(out) as report:
        trainer = fit(settings, folder, draw=draw_strip, report=report)
    if trainer.step < settings.optim.steps:
        say(f"stopped at step {trainer.step}; `python -m train fit {run}` goes on", to=out)
    else:
        say(f"done: {trainer.step} steps; `python -m train tune {run}` comes next", to=out)
