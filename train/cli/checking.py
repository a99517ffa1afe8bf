"""`check`: every fault of a data set in one table."""

from dataclasses import asdict
from pathlib import Path

import typer

from edge_daemon.errors import EXIT_FAILED
from train.cli.printing import console, print_json, say
from train.data.checks import Report, check_data
from train.display import counts_table, fault_table

MOST_SIZES = 3


def check_and_print(
    root: Path, *, class_count: int, share: float, seed: int, fold: int, as_json: bool
) -> None:
    """Say what there is and what is wrong with it.

    Raises:
        typer.Exit: with 1, where an error keeps the data from being trained on.
    """
    report = check_data(root, class_count=class_count, share=share, seed=seed, fold=fold)
    if as_json:
        print_json({"usable": report.is_usable, **asdict(report)})
    else:
        _print(report)
    if not report.is_usable:
        raise typer.Exit(EXIT_FAILED)


def _print(report: Report) -> None:
    if report.faults:
        console().print(fault_table(report.faults))
    console().print(counts_table(report))
    for line in _remarks(report):
        say(line)


def _remarks(report: Report) -> list[str]:
    errors = sum(fault.severity == "error" for fault in report.faults)
    sizes = ", ".join(f"{w} x {h} ({n})" for (w, h), n in report.sizes_wh[:MOST_SIZES])
    more = len(report.sizes_wh) - MOST_SIZES
    lines = [f"sizes: {sizes or 'none'}" + (f" and {more} others" if more > 0 else "")]
    if report.suspects:
        lines.append(f"left out: {len(report.suspects)} strips that are labelled clean and are not")
    if report.duplicates:
        lines.append(
            f"near-duplicates: {len(report.duplicates)} groups; a random split would tear "
            f"{report.torn_at_random} of them, this one tears {report.torn}"
        )
    lines.append(f"faults: {errors} errors, {len(report.faults) - errors} warnings")
    return lines
