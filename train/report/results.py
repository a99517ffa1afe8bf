"""The tables of one run: how well it does on each set of strips, and with which thresholds."""

from collections.abc import Sequence

from edge_daemon.core.defects import DefectClass
from train.judging.scoring import Score
from train.report.gathering import RunFacts
from train.report.tables import Cell, Row, Table
from train.report.wording import figure_text, measured_text, span_text
from train.runs import CLEAN_STRETCHES, HELD_OUT, SIMULATED, VALIDATION

SET_NAMES = {
    VALIDATION: "held-out strips",
    CLEAN_STRETCHES: "clean stretches of held-out strips",
    HELD_OUT: "held-out strips and clean stretches",
    SIMULATED: "simulated strips",
}
_CLASS_FIGURES = {
    "dice_positive": "Dice,\npositives only",
    "dice": "Dice",
    "dice_empty": "Dice of\npredicting nothing",
    "iou": "IoU",
    "found_share": "found",
    "precision": "precision\nof strips",
    "recall": "recall\nof strips",
    "auc": "AUC\nof strips",
}


def class_table(score: Score, names: Sequence[str], *, title: str) -> Table:
    """Per class, then all together; every figure with its interval."""
    head = ("class", "strips", *_CLASS_FIGURES.values(), "wrongly on")
    rows: list[Row] = []
    for number, (name, one) in enumerate(zip(names, score.classes, strict=True), start=1):
        figures = (measured_text(score, f"class_{number}/{key}") for key in _CLASS_FIGURES)
        first = Cell(f"{number} {name}", class_id=number)
        rows.append((first, str(one.strips), *figures, str(one.wrongly)))
    overall = ("dice_positive", "dice", "dice_empty", "iou", "detected_share", "precision")
    cells = [measured_text(score, name) for name in (*overall, "detected_share", "auc")]
    rows.append(("any", str(score.strips), *cells, str(score.false_alarms)))
    note = (
        f"At the original mix of strips: Dice {_told(score, 'dice_original_mix')}; predicting "
        f"nothing: {score.dice_empty_original_mix:.3f}. Found: a labelled pixel was predicted. "
        "Wrongly on: strips without the class (last row: clean ones) on which it was reported."
    )
    return Table(title, head, tuple(rows), note)


def _told(score: Score, name: str) -> str:
    return measured_text(score, name).replace("\n", " (") + (")" if name in score.intervals else "")


def alarm_table(run: RunFacts) -> Table:
    """False alarms on each set, with the run's own thresholds and with cross-fitted ones."""
    rows: list[Row] = []
    measured = run.measured
    for kind, scores in (
        ("cross-fitted", {} if measured is None else measured.cross_fitted),
        ("own thresholds", {} if measured is None else measured.fitted),
    ):
        for where, score in scores.items():
            interval = score.intervals.get("false_alarm_share")
            share = figure_text("false_alarm_share", score.false_alarms / max(1, score.clean))
            rows.append(
                (
                    f"{SET_NAMES.get(where, where)}\n{kind}",
                    str(score.clean),
                    str(score.false_alarms),
                    share if score.clean else "",
                    span_text("false_alarm_share", interval) if interval else "",
                    f"{score.detected} of {score.defective}",
                    measured_text(score, "dice_original_mix"),
                )
            )
    head = ("strips", "clean", "with a false alarm", "share", "95 % interval, %", "defective found")
    note = (
        "Own thresholds were fitted on the held-out strips and flatter there; cross-fitted ones "
        "were fitted on other strips than those they are judged on. Predicting nothing never "
        "alarms, and never finds."
    )
    return Table("False alarms", (*head, "Dice at the original mix"), tuple(rows), note)


def threshold_table(classes: Sequence[DefectClass]) -> Table:
    """What a bundle of this run would carry."""
    rows = tuple(
        (
            Cell(f"{one.id} {one.name}", class_id=one.id),
            f"{one.threshold:.2f}",
            str(one.min_area_px),
            one.severity,
        )
        for one in classes
    )
    head = ("class", "threshold", "minimum area, px", "severity")
    return Table("Thresholds and minimum areas", head, rows)
