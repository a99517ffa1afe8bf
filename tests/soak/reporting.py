"""What a soak came to, as a table for people and as JSON for scripts."""

import statistics
import sys
from dataclasses import asdict
from typing import Any

from rich.table import Table

from edge_daemon.cli.tables import print_table
from tests.soak.judging import History, Trend, complaints, minutes, trends


def document(history: History) -> dict[str, Any]:
    """Everything measured, and the verdict."""
    return {
        "passed": not complaints(history),
        "complaints": complaints(history),
        "seconds": history.seconds,
        "frames": history.frames,
        "faults": dict(history.faults),
        "restart_s": list(history.starts_s),
        "delivery": asdict(history.delivery),
        "coverage": [asdict(coverage) for coverage in history.coverage],
        "trends": [asdict(trend) for trend in trends(history.samples)],
        "minutes": [asdict(minute) for minute in minutes(history.samples)],
        "outbox_depth_most": max((sample.depth for sample in history.samples), default=0),
    }


def print_report(history: History) -> None:
    """Print tables, then what is wrong or that nothing is."""
    print_table(_summary(history))
    print_table(_trends(trends(history.samples)))
    print_table(_minutes(history))
    found = complaints(history)
    for complaint in found:
        sys.stdout.write(f"WRONG: {complaint}\n")
    sys.stdout.write("failed\n" if found else "passed: nothing lost, nothing leaked\n")


def _summary(history: History) -> Table:
    table = Table(title=f"Soak of {history.seconds / 60:g} minutes", show_header=False)
    table.add_row("frames sent", str(history.frames))
    table.add_row("messages", str(history.delivery))
    for coverage in history.coverage:
        table.add_row("rows", str(coverage))
    injected = ", ".join(f"{count} x {name}" for name, count in sorted(history.faults.items()))
    table.add_row("faults", injected)
    if history.starts_s:
        median_s, most_s = statistics.median(history.starts_s), max(history.starts_s)
        table.add_row("kill -9 to ready", f"{median_s:.1f} s median, {most_s:.1f} s at most")
    most = max((sample.depth for sample in history.samples), default=0)
    table.add_row("outbox", f"{most} messages at most")
    return table


def _trends(judged: list[Trend]) -> Table:
    table = Table(title="Within the longest life of the process, after warm-up")
    for heading in ("", "first", "last", "per hour", "over", "allowed"):
        table.add_column(heading, justify="right" if heading else "left")
    for trend in judged:
        table.add_row(
            trend.what,
            f"{trend.first:.1f}",
            f"{trend.last:.1f}",
            f"{trend.per_hour:+.1f}",
            f"{trend.over_s:.0f} s",
            f"{trend.limit:+.1f}",
        )
    return table


def _minutes(history: History) -> Table:
    table = Table(title="Arrival to verdict, by minute")
    for heading in ("minute", "p50", "p99"):
        table.add_column(heading, justify="right")
    for minute in minutes(history.samples):
        table.add_row(str(minute.number), f"{minute.p50_s * 1e3:.0f} ms", f"{minute.p99_s:.2f} s")
    return table
