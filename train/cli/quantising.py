"""`int8`, and `export --int8`: trying INT8 and offering it."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from train.cli.printing import console, say
from train.display import show_stages
from train.quantising import ClassCost, offer_int8, try_int8
from train.runs import RunFolder


def quantise_and_print(run: Path, folder: Path, *, limit: float) -> None:
    """Try INT8, show what it costs each class, and put it into the bundle if that is little."""
    with tempfile.TemporaryDirectory(prefix="int8-") as scratch:
        with show_stages(console()) as tell:
            trial = try_int8(RunFolder(run), folder, Path(scratch) / "tried.onnx", tell=tell)
        console().print(cost_table(trial.costs, limit=limit))
        bundle = offer_int8(folder, trial, limit=limit)
    say(f"{folder}: offers INT8, fingerprint {bundle.fingerprint[:16]}")


def cost_table(costs: Sequence[ClassCost], *, limit: float) -> Table:
    """What INT8 costs each class."""
    table = Table("class", title=f"INT8 on held-out strips; Dice may fall by {limit:g}")
    for head in ("strips", "Dice, positives", "with INT8", "falls by", "wrongly on", "with INT8"):
        table.add_column(head, justify="right")
    for one in costs:
        dice = (f"{one.dice:.4f}", f"{one.dice_int8:.4f}", f"{one.drop:+.4f}")
        counts = (str(one.wrongly), str(one.wrongly_int8))
        table.add_row(escape(one.name), str(one.strips), *dice, *counts)
    return table
