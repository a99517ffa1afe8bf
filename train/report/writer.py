"""From run folders to the page, and to Markdown for the documentation.

One HTML file: style, charts and pictures are inside it. It opens from the disk, and its own
policy forbids it to fetch anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edge_daemon.errors import SourceError
from train.data.simulated import Draw
from train.heldout import Tell
from train.report.comparison import learning_curves
from train.report.drawing import Pictures, draw_cases
from train.report.gathering import RunFacts
from train.report.overview import accuracy_charts, comparison_table, differences_table
from train.report.page import Section, charts_html, page_html
from train.report.run_section import run_section
from train.report.studies import ablation_table, learning_charts, learning_table
from train.report.tables import Table, table_html, table_markdown

TITLE = "Networks for surface defects on steel strip"
TERMS = (
    "This page shows pictures of held-out strips. They are the data set's, under its terms: those "
    "of Severstal may be used in research but not passed on. Keep this file to yourself, or make "
    "one with --pictures simulated."
)


@dataclass(frozen=True, slots=True)
class ReportRequest:
    """What a report is to hold.

    Attributes:
        runs: in the order of the page.
        baseline: the run that others are told as variations of, one of `runs`.
        pictures: strips of which set are shown.
        cases: strips shown of each run.
    """

    runs: tuple[RunFacts, ...]
    baseline: RunFacts | None = None
    pictures: Pictures = "simulated"
    cases: int = 6


def write_report(request: ReportRequest, out: Path, *, draw: Draw, tell: Tell) -> None:
    """Write the page.

    Args:
        request: what it is to hold.
        out: the file.
        draw: makes the simulated strips that runs were judged on once more.
        tell: hears what is being done.

    Raises:
        SourceError: it can't be written.
        RunError: pictures are asked for and a run's strips or weights can't be read.
    """
    _write(out, report_html(request, draw=draw, tell=tell))


def write_markdown(request: ReportRequest, out: Path) -> None:
    """Write the tables that compare runs as Markdown.

    Raises:
        SourceError: it can't be written.
    """
    _write(out, "\n".join(table_markdown(table) for table in _tables(request)))


def report_html(request: ReportRequest, *, draw: Draw, tell: Tell) -> str:
    """The page as text."""
    runs = request.runs
    sections = [_comparison(request), *_studies(request)]
    for number, run in enumerate(runs, start=1):
        pictures = draw_cases(run, request.pictures, count=request.cases, draw=draw, tell=tell)
        sections.append(run_section(run, pictures, anchor=f"run-{number}"))
    facts = {
        "runs": str(len(runs)),
        "baseline": "none" if request.baseline is None else request.baseline.name,
        "pictures": request.pictures,
    }
    return page_html(
        TITLE,
        facts,
        sections,
        css=resources.files("train.report").joinpath("page.css").read_text("utf-8"),
        class_count=max(len(run.class_names) for run in runs),
        notices=(TERMS,) if request.pictures == "held-out" else (),
    )


def _comparison(request: ReportRequest) -> Section:
    parts = [table_html(comparison_table(request.runs))]
    parts.append(charts_html(accuracy_charts(request.runs)))
    if len(request.runs) > 1:
        parts.append(table_html(differences_table(request.runs, request.baseline)))
    return Section("runs", "All runs" if len(request.runs) > 1 else "The run", tuple(parts))


def _studies(request: ReportRequest) -> list[Section]:
    sections = []
    if request.baseline is not None:
        table = table_html(ablation_table(request.baseline, request.runs))
        sections.append(Section("ablation", "Ablation", (table,)))
    curves = learning_curves(request.runs)
    if curves:
        parts = [part for group in curves for part in _learning(group)]
        sections.append(Section("learning", "Learning curve", tuple(parts)))
    return sections


def _learning(group: Sequence[RunFacts]) -> tuple[str, str]:
    return charts_html(learning_charts(group)), table_html(learning_table(group))


def _tables(request: ReportRequest) -> list[Table]:
    tables = [comparison_table(request.runs)]
    if request.baseline is not None:
        tables.append(ablation_table(request.baseline, request.runs))
    return tables + [learning_table(group) for group in learning_curves(request.runs)]


def _write(path: Path, content: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_text(content, encoding="utf-8", errors="backslashreplace", newline="\n")
        part.replace(path)
    except OSError as error:
        raise SourceError(
            f"{path}: can't be written ({error.strerror}); choose another place with --out"
        ) from error
