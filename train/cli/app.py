"""The verbs and their options; what a verb does stands in the modules that it calls.

What a verb needs of torch is imported inside it, so that `--help` and a mistyped option answer at
once.
"""

# ruff: noqa: PLC0415 - see above
from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
RunPaths = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For scripts: JSON instead of a table.")]
Simulated = Annotated[int, typer.Option(min=1, help="Simulated strips to judge on as well.")]

Int8Limit = Annotated[
    float,
    typer.Option(
        min=0.0001, max=0.5, help="With INT8: by how much a class's Dice, positives only, may fall."
    ),
]


@app.callback()
def train() -> None:
    """Check data, train networks, judge and compare them, and pack them into bundles."""


@app.command()
def check(
    root: Annotated[Path, typer.Argument(help="Folder with images/ and train.csv or masks/.")],
    classes: Annotated[int, typer.Option(min=1, max=255, help="Number of classes.")] = 4,
    share: Annotated[
        float, typer.Option(min=0.01, max=0.5, help="As data.validation_share: held out.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="As seed: of the split.")] = 1,
    fold: Annotated[int, typer.Option(min=0, help="As data.fold.")] = 0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Read a data set and list everything that is wrong with it; exits with 1 on errors."""
    from train.cli.checking import check_and_print

    check_and_print(root, class_count=classes, share=share, seed=seed, fold=fold, as_json=as_json)


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
    Several processes: `torchrun --nproc-per-node 2 -m train fit ...`.
    """
    from train.cli.fitting import fit_and_print

    fit_and_print(run, config, overrides or [])


@app.command()
def tune(
    runs: RunPaths,
    objective: Annotated[
        Literal["kaggle", "alarms"],
        typer.Option(
            help="What to make the most of: Kaggle's Dice at the original mix, or what is found "
            "and outlined while at most --budget of the clean strips are alarmed on."
        ),
    ] = "alarms",
    budget: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="For alarms: share of clean strips that may be."),
    ] = 0.05,
) -> None:
    """Fit each class's threshold and minimum area on held-out strips.

    Several runs: folds of the same data, whose held-out strips are pooled.
    """
    from train.cli.judging import tune_and_print

    tune_and_print(runs, objective=objective, budget=budget)


@app.command("eval")
def evaluate(
    run: RunPath,
    bundle: Annotated[
        Path | None, typer.Option(help="Judge this bundle on the run's strips instead of the run.")
    ] = None,
    simulated: Simulated = 200,
    *,
    as_json: JsonOption = False,
) -> None:
    """Measure a tuned run, or a bundle, on held-out and on simulated strips."""
    from train.cli.judging import judge_and_print

    judge_and_print(run, bundle, simulated=simulated, as_json=as_json)


@app.command()
def export(
    run: RunPath,
    folder: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder to write.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1",
    name: Annotated[str | None, typer.Option(help="Name; default: the folder's.")] = None,
    commit: Annotated[
        str | None, typer.Option(help="Commit to note; default: the checkout's.")
    ] = None,
    *,
    with_int8: Annotated[
        bool, typer.Option("--int8", help="Offer INT8 as well, if it costs little; see `int8`.")
    ] = False,
    int8_limit: Int8Limit = 0.01,
) -> None:
    """Pack a tuned and measured run into a bundle, and prove that it gives the same masks."""
    from train.cli.judging import pack_and_print

    pack_and_print(run, folder, name=name or folder.resolve().name, version=version, commit=commit)
    if with_int8:
        int8(run, folder, int8_limit)


@app.command()
def int8(
    run: RunPath,
    folder: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Bundle made of that run.")],
    limit: Int8Limit = 0.01,
) -> None:
    """Offer INT8 in a bundle if it costs no class more Dice than the limit.

    Scales come from training strips, the cost is measured on held-out ones. Exits with 1, and says
    by how much, where it costs more; the bundle is then left as it was.
    """
    from train.cli.quantising import quantise_and_print

    quantise_and_print(run, folder, limit=limit)


@app.command()
def report(
    runs: RunPaths,
    *,
    out: Annotated[Path, typer.Option(help="The page.")] = Path("report.html"),
    baseline: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Tell the others as its variations: an ablation table."),
    ] = None,
    pictures: Annotated[
        Literal["held-out", "simulated", "none"],
        typer.Option(help="Strips that are shown; held-out ones are under the data's terms."),
    ] = "simulated",
    cases: Annotated[int, typer.Option(min=1, help="Worst cases shown of each run.")] = 6,
    markdown: Annotated[
        Path | None, typer.Option(help="Write the tables that compare runs as Markdown, too.")
    ] = None,
    speed: Annotated[
        bool, typer.Option(help="Measure strips/s of each network on this CPU.")
    ] = True,
) -> None:
    """Compare runs on one self-contained HTML page."""
    from train.cli.reporting import ReportOptions, report_and_print

    options = ReportOptions(baseline, pictures, cases, speed=speed)
    report_and_print(runs, out, markdown, options=options)


@app.command("list")
def list_networks(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Networks, or folders of bundles; default all."),
    ] = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Show the runs in a folder instead.")
    ] = None,
    *,
    speed: Annotated[
        bool, typer.Option("--speed", help="Measure strips/s on this CPU: minutes for all.")
    ] = False,
    beside_smp: Annotated[
        bool,
        typer.Option(
            "--beside-smp",
            help="Measure beside segmentation-models-pytorch's U-Net on EfficientNet-B0.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the networks that can be trained: parameters, GFLOPs per strip, strips/s."""
    from train.cli.listing import ListOptions, list_and_print, list_runs_and_print

    if runs is not None:
        list_runs_and_print(runs, as_json=as_json)
        return
    options = ListOptions(speed=speed, beside_smp=beside_smp, as_json=as_json)
    list_and_print(names or [], options)
