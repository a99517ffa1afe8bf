"""Runs that were made to be set side by side: more data, other choices."""

from collections.abc import Sequence

from train.judging.scoring import Score
from train.report.ablation import Difference, held_out_strips, paired_differences
from train.report.comparison import variations
from train.report.gathering import RunFacts
from train.report.overview import COMPARED, PLOTTED, nothing_line
from train.report.plots import Axis, Chart, Series, Span
from train.report.tables import Cell, Mark, Row, Table
from train.report.wording import (
    FIGURE_NAMES,
    HIGHER_IS_BETTER,
    axis_label,
    difference_text,
    measured_text,
    plotted,
    span_text,
    title_of,
)


def learning_charts(group: Sequence[RunFacts]) -> list[Chart]:
    """Figures over how much was trained on, for runs that differ in nothing else."""
    judged = [(run, score) for run in group if (score := run.headline) is not None]
    charts = []
    for name in PLOTTED:
        known = [(run, score) for run, score in judged if name in score.figures()]
        points = tuple((r.training_strips, plotted(name, s.figures()[name])) for r, s in known)
        whole = Series(FIGURE_NAMES[name], points, 2, "both", _spans(name, known))
        series = (*nothing_line(name, [whole], known[0][1]), whole) if known else ()
        axes = Axis("real strips trained on", low=0), Axis(axis_label(name))
        charts.append(Chart(f"{title_of(name)} by amount of data", *axes, series))
    return charts


def _spans(name: str, known: Sequence[tuple[RunFacts, Score]]) -> tuple[Span, ...]:
    """The intervals; none at all where one lacks."""
    intervals = [score.intervals.get(name) for _, score in known]
    spans = [(plotted(name, i.low), plotted(name, i.high)) for i in intervals if i is not None]
    return tuple(spans) if len(spans) == len(known) else ()


def learning_table(group: Sequence[RunFacts]) -> Table:
    """The same as a table."""
    head = ("share of the data", "strips", *(FIGURE_NAMES[name] for name in COMPARED), "run")
    rows = []
    for run in group:
        share = f"{100 * run.config.data.training_share:.0f} %"
        score = run.headline
        figures = ("" if score is None else measured_text(score, name) for name in COMPARED)
        rows.append((share, str(run.training_strips), *figures, run.name))
    return Table("More data, other things equal", head, tuple(rows))


def ablation_table(baseline: RunFacts, runs: Sequence[RunFacts]) -> Table:
    """What changes against the baseline when a setting or a few are changed."""
    classes = baseline.class_names
    names = (*COMPARED, *(f"class_{n}/dice_positive" for n in range(1, len(classes) + 1)))
    head = (
        "changed",
        *(FIGURE_NAMES[name] for name in COMPARED),
        *(f"positives-only Dice\n{name}" for name in classes),
    )
    rows: list[Row] = []
    if baseline.headline is not None:
        score = baseline.headline
        rows.append((f"{baseline.name}\nthe baseline", *(measured_text(score, n) for n in names)))
    is_paired = True
    for run, changed in variations(baseline, runs):
        differences = _differences(baseline, run)
        is_paired &= differences is not None
        what = "; ".join(f"{key} {old} to {new}" for key, (old, new) in changed.items())
        rows.append((f"{run.name}\n{what}", *_ablation_cells(run, baseline, names, differences)))
    note = (
        "Rows below the baseline: the run less the baseline, of shares in points; below each the "
        "95 % interval of a paired bootstrap over the strips. Marked where it leaves out zero. It "
        "knows nothing of another seed: one run each."
    )
    if not is_paired:
        note += " Differences without an interval are of runs judged on other strips."
    return Table(f"What each choice brings, against {baseline.name}", head, tuple(rows), note)


def _differences(baseline: RunFacts, run: RunFacts) -> dict[str, Difference] | None:
    if baseline.headline is None or run.headline is None:
        return None
    before, after = held_out_strips(baseline.curves), held_out_strips(run.curves)
    return paired_differences(before, after, prior=baseline.headline.prior)


def _ablation_cells(
    run: RunFacts,
    baseline: RunFacts,
    names: Sequence[str],
    differences: dict[str, Difference] | None,
) -> list[Cell]:
    cells = []
    for name in names:
        paired = None if differences is None else differences.get(name)
        if paired is not None:
            value = difference_text(name, paired.value)
            span = span_text(name, paired.interval)
            cells.append(Cell(f"{value}\n{span}", _verdict(name, paired)))
        else:
            cells.append(Cell(_plain_difference(run.headline, baseline.headline, name)))
    return cells


def _plain_difference(after: Score | None, before: Score | None, name: str) -> str:
    if after is None or before is None:
        return "not judged"
    new, old = after.figures().get(name), before.figures().get(name)
    return "" if new is None or old is None else difference_text(name, new - old)


def _verdict(name: str, difference: Difference) -> Mark:
    if not difference.is_sure:
        return ""
    rises = difference.value > 0
    return "better" if rises == HIGHER_IS_BETTER.get(name, True) else "worse"
