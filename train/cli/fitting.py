"""`fit`: a run's progress on a terminal or in a log file, from one process of perhaps several."""

import json
import os
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console

from edge_daemon.simulation.strips import draw_strip
from train.cli.printing import say
from train.config import RunConfig, load_config
from train.display import show_progress
from train.fitting.loop import fit
from train.fitting.start import shape_from
from train.runs import RunFolder


def fit_and_print(run: Path, config: Path | None, overrides: Sequence[str]) -> None:
    """Train until the last step or until asked to stop; of several processes the first tells."""
    folder = RunFolder(run)
    settings = _settings(config or folder.saved_config(), overrides)
    # torchrun numbers its processes; without it there is only this one
    is_first = os.environ.get("RANK", "0") == "0"
    out = Console(highlight=False, quiet=not is_first)
    with folder.at_work() if is_first else nullcontext(), show_progress(out) as report:
        trainer = fit(settings, folder, draw=draw_strip, report=report)
    if trainer.step < settings.optim.steps:
        say(f"stopped at step {trainer.step}; `python -m train fit {run}` goes on", to=out)
    else:
        say(f"done: {trainer.step} steps; `python -m train tune {run}` comes next", to=out)


def _settings(file: Path | None, overrides: Sequence[str]) -> RunConfig:
    """The configuration; a new run without one has the network that it starts from.

    Where the data lie is kept as an absolute path: the next verb may be called from elsewhere.
    """
    settings = load_config(file, list(overrides))
    if file is None and settings.start is not None:
        shape = shape_from(settings.start)
        shape.pop("classes")
        given = [f"network.{key}={json.dumps(value)}" for key, value in shape.items()]
        if not any(override.startswith("network.architecture") for override in overrides):
            settings = load_config(None, [*given, *overrides])
    data = settings.data.model_copy(update={"root": settings.data.root.resolve()})
    return settings.model_copy(update={"data": data})
