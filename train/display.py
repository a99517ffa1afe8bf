"""What a person sees of training: progress with the time left, and tables with intervals."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress as Bar,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from edge_daemon.core.defects import DefectClass
from train.data.checks import Report
from train.data.strips import Fault
from train.fitting.runlog import Progress
from train.judging.scoring import Score
from train.judging.tuning import OperatingPoint
from train.report.wording import count_text, figure_text, is_share, speed_text

LINE_EVERY_S = 60.0


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """A network, or a bundle, in a list.

    Attributes:
        name: of the catalogue, or the bundle's folder.
        parameters: of the network.
        gflops: per strip.
        stride: strip pixels per output pixel.
        strips_per_s: on this CPU, if measured.
        times_smp: as fast as smp's U-Net on EfficientNet-B0, in the same measurement.
    """

    name: str
    parameters: int
    gflops: float
    stride: int
    strips_per_s: float | None = None
    times_smp: float | None = None


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list; figures are those of its last validation, if it had one.

    Attributes:
        name: of its folder.
        step: steps done.
        steps: steps in all.
        dice: of all held-out strips, at threshold 0.5.
        dice_positive: positives only.
        false_alarms: clean strips with one.
    """

    name: str
    step: int
    steps: int
    dice: float | None
    dice_positive: float | None
    false_alarms: float | None


_COUNTS = {"strips": "strips", "wrongly": "wrongly on"}
_CLASS_FIGURES = {
    "dice_positive": ("Dice, positives", "dice_positive"),
    "dice": ("Dice", "dice"),
    "dice_empty": ("  of nothing", "dice_empty"),
    "iou": ("IoU", "iou"),
    "found_share": ("found", "detected_share"),
    "precision": ("precision", "precision"),
    "recall": ("recall", "detected_share"),
    "auc": ("AUC", "auc"),
}
_CAPTION = (
    "below figures: 95 % intervals; of nothing: what predicting nothing scores; wrongly on: strips "
    "without the class, last of all clean ones; precision, recall and AUC are of whole strips"
)


@contextmanager
def show_progress(console: Console) -> Iterator["ProgressView"]:
    """A bar on a terminal; elsewhere a line a minute, so that a log file stays readable."""
    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        yield ProgressView(console, bar)


class ProgressView:
    """Shows each step of a run."""

    def __init__(self, console: Console, bar: Bar) -> None:
        self.console = console
        self.bar = bar
        self.task = bar.add_task("loading strips", total=None)
        self.first: tuple[int, float] | None = None
        self.line_due_s = 0.0

    def __call__(self, progress: Progress) -> None:
        """Take note of a step."""
        now_s = time.monotonic()
        self.first = self.first or (progress.step - 1, now_s)
        self.bar.update(
            self.task,
            completed=progress.step,
            total=progress.steps,
            description=f"loss {progress.loss:.3f}",
        )
        if progress.score is not None:
            self._print(f"step {progress.step}: {_in_a_line(progress.score)}")
        for warning in progress.warnings:
            self._print(f"warning: step {progress.step}: {warning}", style="yellow")
        if not self.console.is_terminal and now_s >= self.line_due_s:
            self.line_due_s = now_s + LINE_EVERY_S
            minutes = self._minutes_left(progress, now_s)
            place = f"step {progress.step} of {progress.steps}"
            self._print(f"{place}: loss {progress.loss:.3f}, {minutes:.0f} min left")

    def _print(self, line: str, *, style: str = "") -> None:
        self.console.print(line, style=style, markup=False, highlight=False, soft_wrap=True)

    def _minutes_left(self, progress: Progress, now_s: float) -> float:
        first_step, since_s = self.first or (progress.step, now_s)
        done = max(1, progress.step - first_step)
        return (progress.steps - progress.step) * (now_s - since_s) / done / 60


@contextmanager
def show_stages(console: Console) -> Iterator[Callable[[str], None]]:
    """Say what is being done: one line that changes on a terminal, a line each elsewhere."""
    if not console.is_terminal:
        yield lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True)
        return
    with console.status("") as status:
        yield lambda line: status.update(escape(line))


def _in_a_line(score: Score) -> str:
    dice = " ".join(f"{one.dice_positive:.3f}" for one in score.classes)
    recall = " ".join(f"{one.found}/{one.strips}" for one in score.classes)
    return (
        f"Dice {score.dice:.3f} (nothing: {score.dice_empty:.3f}), positives only {dice}, "
        f"found {recall}, false alarms {score.false_alarms}/{score.clean}"
    )


def fault_table(faults: Iterable[Fault]) -> Table:
    """All that is wrong with the data, errors first."""
    table = Table("", "where", "what", title="Faults")
    styles = {"error": "bold red", "warning": "yellow"}
    for fault in sorted(faults, key=lambda one: one.severity != "error"):
        mark = f"[{styles[fault.severity]}]{fault.severity}[/]"
        table.add_row(mark, escape(fault.where), escape(fault.what))
    return table


def counts_table(report: Report) -> Table:
    """How many strips have which class, all in all and on each side of the split."""
    sides = {"all": report.all, "training": report.training, "validation": report.validation}
    classes = len(report.all.with_class)
    table = Table(title="Strips")
    table.add_column("")
    for head in ("strips", *(f"class {k}" for k in range(1, classes + 1)), "clean"):
        table.add_column(head, justify="right")
    for name, side in sides.items():
        if side is not None:
            counts = (side.strips, *side.with_class, side.clean)
            table.add_row(name, *map(str, counts))
    return table


def score_table(title: str, score: Score, names: Sequence[str]) -> Table:
    """Every figure of every class, with its 95 % interval; the last column is of any defect."""
    table = Table(title=title, caption=_CAPTION)
    table.add_column("")
    for head in (*map(escape, names), "any"):
        table.add_column(head, justify="right", no_wrap=True)
    classes = score.classes
    alarms = f"{score.false_alarms}/{score.clean}"
    for key, name in _COUNTS.items():
        counts = (str(getattr(one, key)) for one in classes)
        table.add_row(name, *counts, {"strips": str(score.strips), "wrongly": alarms}[key])
    table.add_section()
    for key, (name, overall) in _CLASS_FIGURES.items():
        cells = (_with_span(score, f"class_{k}/{key}") for k in range(1, len(classes) + 1))
        table.add_row(name, *cells, _with_span(score, overall))
    return table


def sets_table(title: str, scores: Mapping[str, Score]) -> Table:
    """The main figures of several sets of strips, beside what predicting nothing scores."""
    table = Table("strips", title=title)
    heads = ("defective found", "clean alarmed on", "Dice, positives", "Dice, original mix")
    for head in (*heads, "nothing"):
        table.add_column(head, justify="right")
    for name, score in scores.items():
        table.add_row(
            escape(name),
            f"{score.detected}/{score.defective}\n{_span(score, 'detected_share')}",
            f"{score.false_alarms}/{score.clean}\n{_span(score, 'false_alarm_share')}",
            _with_span(score, "dice_positive"),
            _with_span(score, "dice_original_mix"),
            f"{score.dice_empty_original_mix:.3f}",
        )
    return table


def _with_span(score: Score, name: str) -> str:
    value = score.figures().get(name)
    return "" if value is None else f"{figure_text(name, value)}\n{_span(score, name)}"


def _span(score: Score, name: str) -> str:
    """An interval short enough for a terminal of 80 columns."""
    one = score.intervals.get(name)
    if one is None:
        return ""
    if is_share(name):
        return f"{100 * one.low:.0f}-{100 * one.high:.0f} %"
    return f"{one.low:.2f}-{one.high:.2f}"


def class_table(classes: Sequence[DefectClass]) -> Table:
    """Thresholds and minimum areas."""
    table = Table("id", "name", "threshold", "minimum area, px", "severity", title="Classes")
    for one in classes:
        numbers = (f"{one.threshold:.2f}", str(one.min_area_px))
        table.add_row(str(one.id), escape(one.name), *numbers, one.severity)
    return table


def networks_table(rows: Sequence[NetworkRow]) -> Table:
    """Networks with their size and, where it was measured, their speed."""
    is_timed = any(row.strips_per_s is not None for row in rows)
    is_compared = any(row.times_smp is not None for row in rows)
    table = Table(title="Networks")
    table.add_column("name")
    heads = ["parameters", "GFLOPs per strip", "stride"]
    heads += ["CPU strips/s"] * is_timed + ["times smp's U-Net"] * is_compared
    for head in heads:
        table.add_column(head, justify="right")
    for row in rows:
        cells = [count_text(row.parameters), f"{row.gflops:.2f}", str(row.stride)]
        cells += ["" if row.strips_per_s is None else speed_text(row.strips_per_s)] * is_timed
        cells += ["" if row.times_smp is None else f"{row.times_smp:.2f}"] * is_compared
        table.add_row(escape(row.name), *cells)
    return table


def runs_table(rows: Sequence[RunRow]) -> Table:
    """Runs: how far each is, and its last validation."""
    table = Table("run", "step", "of", "Dice", "Dice, positives", "false alarms", title="Runs")
    for row in rows:
        figures = (row.dice, row.dice_positive, row.false_alarms)
        told = ("" if one is None else f"{one:.3g}" for one in figures)
        table.add_row(escape(row.name), str(row.step), str(row.steps), *told)
    return table


def trade_off_table(points: Sequence[OperatingPoint], *, chosen: float) -> Table:
    """What else could be had; what was taken is marked, rows like the one above are left out."""
    table = Table(title="What else could be had, cross-fitted")
    for head in ("price of an alarm", "false alarms", "found", "Dice, positives", "original mix"):
        table.add_column(head, justify="right")
    before = None
    for point in points:
        shares = f"{100 * point.false_alarm_share:.1f} %", f"{100 * point.detected_share:.1f} %"
        told = (*shares, f"{point.dice_positive:.3f}", f"{point.dice_original_mix:.3f}")
        if told != before or point.price == chosen:
            mark = "> " if point.price == chosen else ""
            table.add_row(f"{mark}{point.price:.3g}", *told)
        before = told
    return table
