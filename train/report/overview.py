"""What compares runs with each other: tables and charts over all of them."""

from collections.abc import Sequence

from train.judging.scoring import Score
from train.report.comparison import differing_settings, usual_value
from train.report.gathering import RunFacts
from train.report.plots import Axis, Chart, Series
from train.report.tables import Cell, Mark, Row, Table
from train.report.wording import (
    FIGURE_NAMES,
    HIGHER_IS_BETTER,
    axis_label,
    count_text,
    measured_text,
    plotted,
    speed_text,
    title_of,
)

NOTHING = "predicting nothing"
PLOTTED = ("dice_original_mix", "dice_positive", "false_alarm_share")
COMPARED = ("dice_original_mix", "dice_positive", "detected_share", "false_alarm_share")


def comparison_table(runs: Sequence[RunFacts]) -> Table:
    """All runs, with what predicting nothing would score in the first row."""
    classes = _class_names(runs)
    head = (
        "run",
        *(FIGURE_NAMES[name] for name in COMPARED),
        "parameters",
        "GFLOPs per strip",
        "CPU strips/s",
        *(f"positives-only Dice\n{name}" for name in classes),
    )
    judged = [run.headline for run in runs if run.headline is not None]
    best = {name: _best(judged, name) for name in COMPARED} if len(judged) > 1 else {}
    rows = [_comparison_row(run, len(classes), best) for run in runs]
    if judged:
        rows.insert(0, _nothing_row(judged[0], len(classes)))
    return Table("Runs on strips that were not trained on", head, tuple(rows), _strips_note(runs))


def _comparison_row(run: RunFacts, classes: int, best: dict[str, float]) -> Row:
    score = run.headline
    speed = "" if run.strips_per_s is None else speed_text(run.strips_per_s)
    size = (count_text(run.parameters), f"{run.gflops:.2f}", speed)
    by_class = (f"class_{k}/dice_positive" for k in range(1, classes + 1))
    first = Cell(f"{run.name}\n{run.architecture}" + ("" if score else ", not judged"))
    compared = (_figure_cell(score, name, best) for name in COMPARED)
    return (first, *compared, *size, *(_figure_cell(score, name, best) for name in by_class))


def _figure_cell(score: Score | None, name: str, best: dict[str, float]) -> Cell:
    if score is None:
        return Cell("")
    is_best = name in best and score.figures().get(name) == best[name]
    return Cell(measured_text(score, name), "best" if is_best else "")


def _nothing_row(score: Score, classes: int) -> Row:
    dice = f"{score.dice_empty_original_mix:.3f}"
    cells = (dice, "0.000", "0.0 %", "0.0 %", "", "", "", *("0.000" for _ in range(classes)))
    return (Cell(NOTHING, "soft"), *(Cell(value, "soft") for value in cells))


def _best(scores: Sequence[Score], name: str) -> float:
    values = [value for one in scores if (value := one.figures().get(name)) is not None]
    return (max if HIGHER_IS_BETTER[name] else min)(values, default=float("nan"))


def _strips_note(runs: Sequence[RunFacts]) -> str:
    judged = [run for run in runs if run.headline is not None]
    if not judged:
        return "None of these runs was judged yet: see `python -m train eval`."
    counts = sorted(
        {(run.headline.defective, run.headline.clean) for run in judged if run.headline}
    )
    told = "; ".join(f"{defective} defective and {clean} clean" for defective, clean in counts)
    note = f"Judged on {told} strips. In brackets or below a figure: its 95 % interval."
    if len({run.held_out for run in judged}) > 1:
        note += " Not all runs were judged on the same strips: compare them with care."
    return note


def _class_names(runs: Sequence[RunFacts]) -> tuple[str, ...]:
    """The names of the longest list; runs with other classes have no figure in some columns."""
    return max((run.class_names for run in runs), key=len)


def differences_table(runs: Sequence[RunFacts], baseline: RunFacts | None) -> Table:
    """Settings that aren't the same in all runs; what is unlike the baseline or most is marked."""
    rows: list[Row] = []
    for key, values in differing_settings([run.config for run in runs]).items():
        plain = usual_value(values) if baseline is None else values[runs.index(baseline)]
        marks: list[Mark] = ["differs" if plain not in (None, one) else "" for one in values]
        rows.append((key, *(Cell(v, mark) for v, mark in zip(values, marks, strict=True))))
    than = "most of the others" if baseline is None else f"the baseline, {baseline.name}"
    note = f"Marked: other than {than}. Settings that are the same in all runs are left out."
    return Table(
        "What tells the runs apart", ("setting", *(r.name for r in runs)), tuple(rows), note
    )


def accuracy_charts(runs: Sequence[RunFacts]) -> list[Chart]:
    """Accuracy against speed, or against work where no speed was measured."""
    judged = [(run, score) for run in runs if (score := run.headline) is not None]
    is_timed = any(run.strips_per_s for run, _ in judged)
    label = "strips/s on this CPU" if is_timed else "GFLOPs per strip"
    charts = []
    for name in PLOTTED:
        dots = tuple(
            _dot(run.name, (place, score), name, number=number)
            for number, (run, score) in enumerate(judged, start=1)
            if (place := run.strips_per_s if is_timed else run.gflops) and name in score.figures()
        )
        title = f"{title_of(name)} against {'speed' if is_timed else 'work'}"
        axes = Axis(label, is_log=True), Axis(axis_label(name))
        series = (*nothing_line(name, dots, judged[0][1]), *dots) if dots else ()
        charts.append(Chart(title, *axes, series, "Bars: 95 % intervals."))
    return charts


def nothing_line(name: str, dots: Sequence[Series], score: Score) -> list[Series]:
    """What predicting nothing scores, from before the first dot to behind the last.

    Only where that is a score worth beating: of the other figures it is zero.
    """
    if name != "dice_original_mix":
        return []
    places = [x for one in dots for x, _ in one.points]
    level = score.dice_empty_original_mix
    return [Series(NOTHING, ((min(places) * 0.9, level), (max(places) * 1.1, level)), 8)]


def _dot(label: str, at: tuple[float, Score], name: str, *, number: int) -> Series:
    place, score = at
    interval = score.intervals.get(name)
    spans = ((plotted(name, interval.low), plotted(name, interval.high)),) if interval else ()
    point = (place, plotted(name, score.figures()[name]))
    return Series("", (point,), number, "dots", spans, labels=(label,))
