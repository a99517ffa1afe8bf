"""What a person sees of training: progress with the time left, and tables."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

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
from train.runlog import Progress
from train.scoring import Score
from train.strips import Fault

LINE_EVERY_S = 60.0


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
            self.console.print(f"step {progress.step}: {_in_a_line(progress.score)}")
        if not self.console.is_terminal and now_s >= self.line_due_s:
            self.line_due_s = now_s + LINE_EVERY_S
            minutes = self._minutes_left(progress, now_s)
            place = f"step {progress.step} of {progress.steps}"
            self.console.print(f"{place}: loss {progress.loss:.3f}, {minutes:.0f} min left")

    def _minutes_left(self, progress: Progress, now_s: float) -> float:
        first_step, since_s = self.first or (progress.step, now_s)
        done = max(1, progress.step - first_step)
        return (progress.steps - progress.step) * (now_s - since_s) / done / 60


def _in_a_line(score: Score) -> str:
    dice = " ".join(f"{one.dice_positive:.3f}" for one in score.classes)
    recall = " ".join(f"{one.found}/{one.strips}" for one in score.classes)
    return (
        f"Dice {score.dice:.3f} (nothing: {score.dice_empty:.3f}), positives only {dice}, "
        f"found {recall}, false alarms {score.false_alarms}/{score.clean}"
    )


def fault_table(faults: Iterable[Fault]) -> Table:
    """All that is wrong with the data."""
    table = Table("where", "what", title="Faults")
    for fault in faults:
        table.add_row(escape(fault.where), escape(fault.what))
    return table


def score_table(title: str, score: Score) -> Table:
    """Per class, and all together in the last row."""
    table = Table(
        "class", "strips", "found", "wrongly", "Dice, positives", "Dice", "nothing", title=title
    )
    for number, one in enumerate(score.classes, start=1):
        counts = (str(number), str(one.strips), str(one.found), str(one.wrongly))
        figures = (one.dice_positive, one.dice, one.dice_empty)
        table.add_row(*counts, *(f"{figure:.3f}" for figure in figures))
    table.add_section()
    table.add_row(
        "all",
        str(score.strips),
        f"{score.detected}/{score.defective}",
        f"{score.false_alarms}/{score.clean}",
        *(f"{figure:.3f}" for figure in (score.dice_positive, score.dice, score.dice_empty)),
    )
    table.add_row(
        "53 % defective",
        *("" for _ in range(4)),
        f"{score.dice_original_mix:.3f}",
        f"{score.dice_empty_original_mix:.3f}",
    )
    table.caption = (
        "last rows: strips with any report / defective; clean strips with a false alarm / clean"
    )
    return table


def class_table(classes: Sequence[DefectClass]) -> Table:
    """Thresholds and minimum areas."""
    table = Table("id", "name", "threshold", "minimum area, px", "severity", title="Classes")
    for one in classes:
        numbers = (f"{one.threshold:.2f}", str(one.min_area_px))
        table.add_row(str(one.id), one.name, *numbers, one.severity)
    return table
