"""`python -m tests.soak`: the daemon for a while, with everything going wrong all along."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tests.soak.judging import complaints
from tests.soak.reporting import document, print_report
from tests.soak.running import Order, soak

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def main(
    *,
    minutes: Annotated[float, typer.Option(min=0.4, help="How long.")] = 30.0,
    cameras: Annotated[int, typer.Option(min=1, max=16, help="How many.")] = 4,
    fps: Annotated[float, typer.Option(min=0.1, max=100.0, help="Frames a second of each.")] = 3.0,
    seed: Annotated[int, typer.Option(help="Of the faults and of the strip.")] = 1,
    keep: Annotated[
        Path | None, typer.Option(help="Folder for logs and state; default a temporary one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Soak the daemon: real cameras, broker, network and subscriber, with faults from a seed.

    Exit 0: nothing lost, nothing leaked. Exit 1: the last lines say what is wrong.
    """
    order = Order(minutes * 60, cameras, fps, seed)
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        folder = Path(temporary) if keep is None else keep
        folder.mkdir(parents=True, exist_ok=True)
        history = soak(order, folder, tell=lambda text: typer.echo(text, err=True))
    if as_json:
        sys.stdout.write(json.dumps(document(history), indent=2) + "\n")
    else:
        print_report(history)
    raise typer.Exit(1 if complaints(history) else 0)


if __name__ == "__main__":
    app()
