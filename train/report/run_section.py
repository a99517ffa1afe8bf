"""All about one run: what it is, how it went, how well it does, where it fails."""

from collections.abc import Iterator, Sequence

from train.report.cases import CasePicture
from train.report.charts import precision_charts, trade_off_chart, training_charts
from train.report.gathering import RunFacts
from train.report.page import Section, charts_html, heading, paragraph, picture_html
from train.report.results import SET_NAMES, alarm_table, class_table, threshold_table
from train.report.tables import table_html
from train.report.wording import count_text
from train.runs import HELD_OUT, SIMULATED, VALIDATION

MOST_WARNINGS = 5


def run_section(run: RunFacts, pictures: Sequence[CasePicture], *, anchor: str) -> Section:
    """The section of a run; what isn't there yet is said, with the verb that makes it."""
    parts = (
        paragraph(_in_a_sentence(run)),
        *_training(run),
        *_judgement(run),
        *_pictures(pictures),
    )
    return Section(anchor, run.name, tuple(parts), is_run=True)


def _in_a_sentence(run: RunFacts) -> str:
    config = run.config
    step = int(run.log[-1]["step"]) if run.log else 0
    share = config.data.training_share
    part = "" if share == 1 else f" ({100 * share:.0f} % of what there is)"
    return (
        f"{run.architecture}: {count_text(run.parameters)} parameters, {run.gflops:.2f} GFLOPs per "
        f"strip; {step} of {config.optim.steps} steps with {config.optim.optimiser}, on "
        f"{run.training_strips} real strips{part} and {config.data.simulated_strips} simulated "
        f"ones; {len(run.held_out)} held out; seed {config.seed}, fold {config.data.fold}."
    )


def _training(run: RunFacts) -> Iterator[str]:
    if run.log:
        yield heading("Training")
        yield charts_html(training_charts(run))
    for step, warning in run.warnings[:MOST_WARNINGS]:
        yield paragraph(f"Step {step}: {warning}", "notice")
    if len(run.warnings) > MOST_WARNINGS:
        yield paragraph(f"And {len(run.warnings) - MOST_WARNINGS} more warnings.", "hint")


def _judgement(run: RunFacts) -> Iterator[str]:
    yield heading("On strips that were not trained on")
    if run.measured is None or run.tuning is None:
        verb = "tune" if run.tuning is None else "eval"
        yield paragraph(f"Not judged yet: run `python -m train {verb} {run.name}`.", "hint")
        return
    for where, kind, scores in (
        (HELD_OUT, "cross-fitted", run.measured.cross_fitted),
        (VALIDATION, "cross-fitted", run.measured.cross_fitted),
        (SIMULATED, "own thresholds", run.measured.fitted),
    ):
        if where in scores:
            title = f"{SET_NAMES[where].capitalize()}, {kind}"
            yield table_html(class_table(scores[where], run.class_names, title=title))
    yield table_html(alarm_table(run))
    yield table_html(threshold_table(run.measured.classes))
    charts = [trade_off_chart(run)]
    if VALIDATION in run.curves:
        score = run.measured.fitted[VALIDATION]
        charts += precision_charts(run.curves[VALIDATION], score, run.measured.classes)
    yield charts_html(charts)


def _pictures(pictures: Sequence[CasePicture]) -> Iterator[str]:
    if not pictures:
        return
    yield heading("Worst cases")
    yield paragraph(
        "Above what is labelled, below what was predicted, each outlined in the colour of its "
        "class. Kinds of mistakes in turn, each worst first.",
        "hint",
    )
    for one in pictures:
        yield picture_html(one.jpeg, one.caption, one.description)
