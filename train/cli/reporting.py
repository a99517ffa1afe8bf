"""`report`: reading runs, measuring their networks, and writing the page."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.errors import ConfigurationError
from edge_daemon.simulation.strips import draw_strip
from train.cli.printing import console, say
from train.display import show_stages
from train.report.drawing import Pictures
from train.report.gathering import RunFacts, gather
from train.report.timing import timed
from train.report.writer import TERMS, ReportRequest, write_markdown, write_report


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What was asked for.

    Attributes:
        baseline: folder of the run that others are told as variations of.
        pictures: strips of which set are shown.
        cases: strips shown of each run.
        speed: whether networks are timed.
    """

    baseline: Path | None
    pictures: Pictures
    cases: int
    speed: bool


def report_and_print(
    paths: Sequence[Path], out: Path, markdown: Path | None, *, options: ReportOptions
) -> None:
    """Write the page, and the Markdown if asked for."""
    with show_stages(console()) as tell:
        request = _request(paths, options, tell)
        write_report(request, out, draw=draw_strip, tell=tell)
    say(f"{out}: {len(request.runs)} runs, {out.stat().st_size / 1e6:.1f} MB")
    if markdown is not None:
        write_markdown(request, markdown)
        say(f"{markdown}: the tables that compare runs")
    if options.pictures == "held-out":
        say(TERMS)


def _request(
    paths: Sequence[Path], options: ReportOptions, tell: Callable[[str], None]
) -> ReportRequest:
    """Runs as they were named; the baseline is one of them, or is put first."""
    named = {path.resolve(): path for path in paths}
    first = options.baseline
    if first is not None and first.resolve() not in named:
        named = {first.resolve(): first, **named}
    runs: tuple[RunFacts, ...] = gather(list(named.values()))
    if options.speed:
        runs = timed(runs, tell=tell)
    baseline = None if first is None else runs[list(named).index(first.resolve())]
    if baseline is not None and baseline.headline is None:
        raise ConfigurationError(
            f"{first}: a baseline has to be judged; run `python -m train eval {first}` first"
        )
    return ReportRequest(runs, baseline, options.pictures, options.cases)
