"""The body of `bench`: measures, shows, compares."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from edge_daemon.bench.report import BenchResult, figures
from edge_daemon.bench.stages import measure_stages
from edge_daemon.bench.whole import WholeRequest, measure_whole
from edge_daemon.cli.tables import print_table
from edge_daemon.engine import Engine
from edge_daemon.errors import SourceError


def bench_and_print(
    engine: Engine,
    request: WholeRequest,
    *,
    cameras: Sequence[int],
    strips: int,
    mm_per_px: float,
    compare: Path | None,
    as_json: bool,
) -> None:
    """Measure each stage, then the whole with so many cameras each, and show it.

    Raises:
        SourceError: the older result can't be read.
        EdgeDaemonError: the daemon to be measured doesn't come up.
    """
    older = None if compare is None else _read(compare)
    console = Console(stderr=True, highlight=False)
    with console.status("each stage alone") as status:
        stages = measure_stages(engine, strips=strips)
        whole = []
        for count in cameras:
            status.update(f"the whole, {count} camera{'s' * (count > 1)}")
            whole.append(measure_whole(engine, replace(request, cameras=count)))
    result = BenchResult(engine.name, stages, whole, mm_per_px)
    if as_json:
        sys.stdout.write(json.dumps(result.to_json(), indent=2) + "\n")
    else:
        print_table(_stage_table(result))
        print_table(_whole_table(result))
    if older is not None:
        print_table(_comparison(result.to_json(), older), sys.stderr if as_json else sys.stdout)


def _read(path: Path) -> dict[str, Any]:
    try:
        older: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        figures(older)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"{path}: is no result of an earlier `edge-daemon bench --json` ({error})"
        ) from error
    return older


def _stage_table(result: BenchResult) -> Table:
    table = Table(title=f"{result.bundle}: each stage alone", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    for name, milliseconds in result.stages.stage_ms.items():
        table.add_row(name, f"{milliseconds:.2f} ms")
    table.add_row("after the network, clean", f"{result.stages.clean_share:.1%} of its time")
    table.add_row("after the network, defective", f"{result.stages.defective_share:.1%}")
    return table


def _whole_table(result: BenchResult) -> Table:
    table = Table(title="The whole daemon over ZeroMQ")
    for column in ("cameras", "strips/s", "of the network alone", "busiest", "line, each"):
        table.add_column(column, justify="right")
    for one in result.whole:
        table.add_row(
            str(one.cameras),
            f"{one.strips_per_s:.1f}",
            f"{one.ratio:.3f} ({min(one.ratios):.2f} to {max(one.ratios):.2f})",
            f"{one.bottleneck} {one.busy[one.bottleneck]:.0%}",
            f"{result.line_m_per_s(one):.2f} m/s",
        )
    most = max(result.whole, key=lambda one: one.cameras)
    table.caption = (
        f"lines at {result.mm_per_px:g} mm per row; {most.resident_mib:.0f} MiB with "
        f"{most.cameras} cameras, and {most.latency_ms:.0f} ms from a frame's arrival to its "
        "verdict while all queues are full"
    )
    return table


def _comparison(new: Mapping[str, Any], old: Mapping[str, Any]) -> Table:
    table = Table(title="Against the older result")
    for column in ("", "then", "now", "now / then"):
        table.add_column(column, justify="right" if column else "left")
    before, after = figures(old), figures(new)
    for name in after.keys() & before.keys():
        ratio = f"{after[name] / before[name]:.2f}" if before[name] else ""
        table.add_row(name, f"{before[name]:.3g}", f"{after[name]:.3g}", ratio)
    return table
