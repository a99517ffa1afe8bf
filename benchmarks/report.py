"""What a benchmark found, as a table for people and as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import TextIO

from rich.console import Console
from rich.table import Table

from benchmarks.machine import Machine
from benchmarks.pairs import Comparison


@dataclass(frozen=True, slots=True)
class Findings:
    """A table beside the ratios.

    Attributes:
        title: what it shows.
        columns: their headings.
        rows: as many cells as columns, each.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that one benchmark says.

    Attributes:
        name: of the benchmark.
        unit: what is counted, in the singular.
        settings: how it was run.
        machine: where it was run.
        comparisons: the ratios.
        findings: what else was seen.
        notes: what a reader has to know to read the figures rightly.
    """

    name: str
    unit: str
    settings: dict[str, object]
    machine: Machine
    comparisons: tuple[Comparison, ...]
    findings: tuple[Findings, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The same, with the seconds of every turn."""
        fields = asdict(self)
        fields["comparisons"] = [
            asdict(one) | {"ratio": one.ratio, "lowest": one.spread[0], "highest": one.spread[1]}
            for one in self.comparisons
        ]
        return json.dumps(fields, indent=2)

    def print(self, out: TextIO) -> None:
        """Write the tables, in colour where that is a terminal."""
        console = Console(file=out, highlight=False)
        settings = ", ".join(f"{key} {value}" for key, value in self.settings.items())
        console.print(f"[bold]{self.name}[/bold]: {settings}\n{self.machine}")
        for table in (_ratios(self.comparisons, self.unit), *map(_table, self.findings)):
            console.print(table)
        for note in self.notes:
            console.print(f"- {note}")


def _ratios(comparisons: Sequence[Comparison], unit: str) -> Table:
    table = Table(title="Times as fast as the peer, in pairs")
    for heading in ("ours", "peer"):
        table.add_column(heading)
    for heading in ("median", "lowest..highest", "pairs", f"{unit}s/s"):
        table.add_column(heading, justify="right")
    table.add_column("remark")
    for one in comparisons:
        low, high = one.spread
        table.add_row(
            one.ours,
            one.peer,
            f"{one.ratio:.2f}",
            f"{low:.2f}..{high:.2f}",
            str(len(one.ratios)),
            f"{1.0 / median(one.ours_s):.1f} : {1.0 / median(one.peer_s):.1f}",
            one.remark,
        )
    return table


def _table(findings: Findings) -> Table:
    table = Table(title=findings.title)
    for number, heading in enumerate(findings.columns):
        table.add_column(heading, justify="left" if number == 0 else "right")
    for row in findings.rows:
        table.add_row(*row)
    return table
