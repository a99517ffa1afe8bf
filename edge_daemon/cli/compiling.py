"""`compile` on a terminal: progress and an estimate while the plan is built, then what it is."""

import json
import sys
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn
from rich.table import Table

from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.plans.building import Progress as BuildProgress, build_plan
from edge_daemon.plans.cache import PlanRecord, read_record
from edge_daemon.plans.fingerprint import NOTHING, Builder, Flavour, Precision
from edge_daemon.plans.resolving import PlanRequest
from edge_daemon.signals import stop_on_signals

MINUTE_S = 60.0


def compile_and_print(
    bundle: Path | None,
    *,
    builder: Literal["auto", "onnx", "torch"],
    flavour: Literal["auto", "tensorrt", "tensorrt_rtx"],
    precision: Literal["fp16", "int8"],
    cache: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Build a bundle's plan for this machine's GPU, or find it built, and say what it is.

    Raises:
        BundleError: the bundle is damaged.
        NoPlanError: there is no plan; the message says why.
    """
    loaded = load_bundle(shipped_bundle() if bundle is None else bundle)
    request = PlanRequest(
        builder=None if builder == "auto" else Builder(builder),
        flavour=None if flavour == "auto" else Flavour(flavour),
        precision=Precision(precision),
        cache=cache,
        force=force,
    )
    console = Console(stderr=True)
    with stop_on_signals() as stop, _bar(console) as bar:
        task = bar.add_task("starting", total=1.0, left="")

        def show(progress: BuildProgress) -> None:
            bar.update(
                task,
                description=progress.stage,
                completed=progress.share,
                left=describe_remaining(progress.remaining_s),
            )

        path = build_plan(loaded, request, report=show, stop=stop)
    record = read_record(path)
    if as_json:
        sys.stdout.write(json.dumps({"plan": str(path)} | record.to_json(), indent=2) + "\n")
    else:
        Console(highlight=False).print(plan_table(path, record))


def describe_remaining(seconds: float | None) -> str:
    """An estimate in words, no more exact than it is."""
    if seconds is None:
        return "no estimate yet"
    if seconds < MINUTE_S:
        return f"about {seconds:.0f} s left"
    return f"about {seconds / MINUTE_S:.0f} min left"


def plan_table(path: Path, record: PlanRecord) -> Table:
    """What a plan is."""
    key = record.key
    table = Table(title="Plan", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    table.add_row("file", str(path))
    table.add_row("size", f"{record.size / 1e6:.1f} MB, built in {record.built_s:.1f} s")
    table.add_row("made by", f"{key.flavour} {key.flavour_version}, from {key.builder}")
    table.add_row("for", _target(record))
    table.add_row("precision", key.precision)
    for tensor in record.contents.tensors:
        shape = " x ".join("N" if size < 0 else str(size) for size in tensor.shape)
        table.add_row(
            "  in" if tensor.is_input else "  out", f"{tensor.name} {tensor.dtype} {shape}"
        )
    for kind, dtypes in record.contents.layers.items():
        if "conv" in kind.lower():
            table.add_row(f"  {kind.lower()}", ", ".join(f"{n} {one}" for one, n in dtypes.items()))
    return table


def _target(record: PlanRecord) -> str:
    key = record.key
    if key.compute_capability == NOTHING:
        return "any RTX GPU from compute capability 8.0 on: no GPU was found here"
    return f"{key.gpu}, compute capability {key.compute_capability}, driver {key.driver}"


def _bar(console: Console) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[left]}"),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
