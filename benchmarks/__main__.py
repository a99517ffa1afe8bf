"""`python -m benchmarks NAME`: prints a table, or JSON with `--json`."""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks.errors import BenchmarkError
from benchmarks.machine import available_cores
from benchmarks.report import Report

ZOO = Path(__file__).resolve().parent.parent / "models" / "zoo"
EXIT_FAILED = 1

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

Rounds = Annotated[int, typer.Option(min=1, help="Pairs of turns.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON with the seconds of every turn.")]
Threads = Annotated[int, typer.Option(min=0, help="CPU threads of all; 0: all cores.")]


@app.command()
def networks(
    *,
    bundle: Annotated[list[str] | None, typer.Option(help="Shipped; default: both.")] = None,
    runtime: Annotated[
        list[str] | None, typer.Option(help="Default: eager, torch.compile, ONNX Runtime, OpenVINO")
    ] = None,
    threads: Threads = 0,
    rounds: Rounds = 7,
    strips: Annotated[int, typer.Option(min=1, help="Different strips per turn.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Shipped networks beside smp's U-Net on EfficientNet-B0, in four runtimes."""
    from benchmarks import networks as side_by_side  # noqa: PLC0415 - torch takes seconds
    from benchmarks.runtimes import RUNTIMES  # noqa: PLC0415 - as above

    shipped = [ZOO / name for name in bundle or ("steel-nano", "steel-small")]
    with TemporaryDirectory() as folder:
        report = side_by_side.compare_networks(
            side_by_side.stock_source(Path(folder)),
            [side_by_side.shipped_source(path) for path in shipped],
            runtimes=runtime or list(RUNTIMES),
            threads=threads or available_cores(),
            rounds=rounds,
            strips=strips,
        )
    _say(report, as_json=as_json)


@app.command()
def replay(
    *,
    frames: Annotated[int, typer.Option(min=1, help="Per turn.")] = 100,
    rounds: Rounds = 7,
    as_json: AsJson = False,
) -> None:
    """`replay --speed max` beside a bare loop over the same network."""
    from benchmarks.replay import compare_replay  # noqa: PLC0415 - only what is asked for

    with TemporaryDirectory() as folder:
        _say(compare_replay(Path(folder), frames=frames, rounds=rounds), as_json=as_json)


@app.command()
def tiling(
    *,
    height: Annotated[int, typer.Option(min=1, help="Rows of the frame.")] = 1024,
    width: Annotated[int, typer.Option(min=1, help="Columns of the frame.")] = 4096,
    rounds: Rounds = 15,
    places: Annotated[int, typer.Option(min=1, help="Where each defect is put.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Cutting and stitching beside supervision's InferenceSlicer, and what each does at seams."""
    from benchmarks.tiling.comparing import compare_tiling  # noqa: PLC0415 - supervision is optional

    _say(compare_tiling(height, width, rounds=rounds, places=places), as_json=as_json)


@app.command()
def transport(
    *,
    peer: Annotated[list[str] | None, typer.Option(help="Default: savant_rs, imagezmq")] = None,
    size: Annotated[
        list[str] | None, typer.Option(help="ROWSxCOLUMNS. Default: 256x1600, 1024x2048")
    ] = None,
    frames: Annotated[int, typer.Option(min=1, help="Per turn.")] = 900,
    rounds: Rounds = 7,
    checksum: Annotated[bool, typer.Option(help="Our sender adds a CRC-32.")] = False,
    as_json: AsJson = False,
) -> None:
    """Frames over ipc between two processes, beside savant_rs and imagezmq."""
    from benchmarks.transport import comparing, ours  # noqa: PLC0415 - only what is asked for

    plans = [
        comparing.plan_for(*_rows_columns(one), frames=frames)
        for one in size or ("256x1600", "1024x2048")
    ]
    report = comparing.compare_transport(
        ours.CHECKED if checksum else ours.OURS,
        comparing.peers_named(peer or list(comparing.MODULES)),
        plans=plans,
        rounds=rounds,
    )
    _say(report, as_json=as_json)


def _rows_columns(text: str) -> tuple[int, int]:
    rows, _, columns = text.partition("x")
    if not (rows.isdecimal() and columns.isdecimal() and int(rows) and int(columns)):
        raise typer.BadParameter(f"{text}: write it as ROWSxCOLUMNS, for example 256x1600")
    return int(rows), int(columns)


def _say(report: Report, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(report.to_json() + "\n")
    else:
        report.print(sys.stdout)


def main() -> None:
    """Run a benchmark; one that can't be fair says why and exits 1."""
    try:
        app(prog_name="python -m benchmarks")
    except BenchmarkError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
