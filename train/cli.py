"""`python -m train VERB`: from a folder of labelled strips to a bundle that the daemon loads.

What a verb needs of torch is imported inside it, so that `--help` and `check` answer at once.
"""

# ruff: noqa: PLC0415 - see above
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from edge_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED, ConfigurationError, EdgeDaemonError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
SimulatedCount = Annotated[int, typer.Option(min=1, help="Simulated strips to judge on as well.")]


@app.callback()
def train() -> None:
    """Check data, train networks, judge them and pack them into bundles."""


@app.command()
def check(
    root: Annotated[Path, typer.Argument(help="Folder with images/ and train.csv.")],
) -> None:
    """Read a data set and list everything that is wrong with it."""
    from train.display import fault_table
    from train.strips import read_strips

    console = Console()
    strips, faults = read_strips(root)
    if faults:
        console.print(fault_table(faults))
    per_class = ", ".join(map(str, strips.presence().sum(axis=0))) if len(strips) else "none"
    clean = int((~strips.presence().any(axis=1)).sum()) if len(strips) else 0
    console.print(
        f"{len(strips)} strips read; with class 1, 2, 3, 4: {per_class}; clean: {clean}, "
        f"of which suspect: {len(strips.suspects)}; faults: {len(faults)}"
    )
    if faults:
        raise typer.Exit(EXIT_FAILED)


@app.command()
def fit(
    run: RunPath,
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    config: Annotated[
        Path | None, typer.Option(help="TOML file; default: the run's own, else built-in.")
    ] = None,
) -> None:
    """Train, or go on training, until the last step; Ctrl-C and SIGTERM save and stop.

    Values of the configuration are overridden as in `optim.steps=2000 data.root=../strips`.
    """
    from edge_daemon.simulation.strips import draw_strip
    from train.config import load_config
    from train.display import show_progress
    from train.fitting import fit as run_fit
    from train.runs import RunFolder

    folder = RunFolder(run)
    settings = load_config(config or folder.saved_config(), overrides or [])
    console = Console()
    with show_progress(console) as report:
        trainer = run_fit(settings, folder, draw=draw_strip, report=report)
    if trainer.step < settings.optim.steps:
        console.print(f"stopped at step {trainer.step}; `python -m train fit {run}` goes on")


@app.command()
def tune(
    run: RunPath,
    simulated: Annotated[int, typer.Option(min=0, help="Simulated clean strips to add.")] = 60,
    caution: Annotated[
        float,
        typer.Option(
            min=0.0, help="Factor on the weight of clean strips: fewer alarms, less found."
        ),
    ] = 0.5,
) -> None:
    """Fit each class's threshold and minimum area on the held-out strips."""
    from edge_daemon.simulation.strips import draw_strip
    from train.display import class_table
    from train.judging import tune_run
    from train.runs import RunFolder

    tuned = tune_run(RunFolder(run), draw_strip, simulated=simulated, caution=caution)
    Console().print(class_table(tuned))


@app.command("eval")
def evaluate(
    run: RunPath,
    bundle: Annotated[
        Path | None, typer.Option(help="Judge this bundle on the run's strips instead of the run.")
    ] = None,
    simulated: SimulatedCount = 200,
) -> None:
    """Measure a tuned run, or a bundle, on held-out and on simulated strips."""
    from edge_daemon.simulation.strips import draw_strip
    from train.display import score_table
    from train.judging import judge_bundle, judge_run, judging_sets
    from train.runs import RunFolder

    folder = RunFolder(run)
    if bundle is None:
        scores = judge_run(folder, draw_strip, simulated=simulated)
    else:
        scores = judge_bundle(bundle, judging_sets(folder, draw_strip, simulated=simulated))
    console = Console()
    for name, score in scores.items():
        console.print(score_table(name, score))


@app.command()
def export(
    run: RunPath,
    folder: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    name: Annotated[str | None, typer.Option(help="Name; default: the folder's.")] = None,
    commit: Annotated[
        str | None, typer.Option(help="Commit to note; default: the checkout's.")
    ] = None,
) -> None:
    """Pack a tuned and measured run into a bundle, and prove that it gives the same masks."""
    from train.packing import pack
    from train.runs import RunFolder

    bundle = pack(RunFolder(run), folder, name=name or folder.name, version=version, commit=commit)
    size_mb = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
    Console().print(f"{folder}: {size_mb:.1f} MB, fingerprint {bundle.fingerprint[:16]}")


@app.command("list")
def list_runs(
    folder: Annotated[Path, typer.Argument(help="Folder of runs.")] = Path("runs"),
) -> None:
    """Show the runs in a folder: how far each is, and its last validation."""
    from train.runs import find_runs

    table = Table("run", "step", "of", "Dice", "Dice, positives", "false alarms")
    for run in find_runs(folder):
        steps = run.config().optim.steps
        log = run.log()
        step = int(log[-1]["step"]) if log else 0
        scored = next((entry for entry in reversed(log) if "validation/dice" in entry), {})
        keys = ("validation/dice", "validation/dice_positive", "validation/false_alarms")
        figures = (f"{scored[key]:.3g}" if key in scored else "" for key in keys)
        table.add_row(run.path.name, str(step), str(steps), *figures)
    Console().print(table)


def main() -> None:
    """Entry point: what a person can mend ends in one line, not in a traceback."""
    try:
        app()
    except EdgeDaemonError as error:
        Console(stderr=True).print(
            f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True
        )
        is_configuration = isinstance(error, ConfigurationError)
        raise SystemExit(EXIT_CONFIGURATION if is_configuration else EXIT_FAILED) from error
