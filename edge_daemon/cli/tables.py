"""The tables that verbs print for people."""

import sys
from typing import TextIO

from rich.console import Console
from rich.table import Table

from edge_daemon.core.records import Verdict
from edge_daemon.replay.summary import ReplaySummary


def print_table(table: Table, out: TextIO = sys.stdout) -> None:
    """Print a table, in colour where that is a terminal."""
    Console(file=out, highlight=False).print(table)


def replay_table(summary: ReplaySummary) -> Table:
    """What a replay came to."""
    table = Table(title="Replay", show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_row("frames", str(summary.frames))
    for verdict in Verdict:
        table.add_row(f"  {verdict.value.replace('_', ' ')}", str(summary.verdicts[verdict.value]))
    for reason, count in sorted(summary.reasons.items()):
        table.add_row(f"    {reason}", str(count))
    table.add_row("defects", str(summary.defects.total()))
    for name, count in sorted(summary.defects.items()):
        table.add_row(f"  {name}", str(count))
    table.add_row("rows inspected", str(summary.lines_inspected))
    unread = summary.reasons["unreadable"]
    also = f" and those of {unread} unreadable files" if unread else ""
    table.add_row("rows not inspected", f"{summary.lines_not_inspected}{also}")
    table.add_row("seconds", f"{summary.seconds:.1f}")
    if summary.seconds:
        table.add_row("frames/s", f"{summary.frames / summary.seconds:.1f}")
    return table
