"""The charts of one run: how training went, and what can be had at which threshold."""

from collections.abc import Iterable, Mapping, Sequence

from edge_daemon.core.defects import DefectClass
from train.judging.curves import Curves, PrCurve
from train.judging.scoring import Score
from train.report.gathering import RunFacts
from train.report.plots import Axis, Chart, Series, thinned

STEP = Axis("step", low=0)
SHARE = ("precision", "recall")


def training_charts(run: RunFacts) -> list[Chart]:
    """What the log holds: losses, rates, and the figures of each validation."""
    names = run.class_names
    return [
        Chart("Loss", STEP, Axis("loss"), _prefixed(run, "loss"), "Means and range of stretches."),
        Chart("Learning rate", STEP, Axis("rate", low=0), _prefixed(run, "rate")),
        Chart(
            "Validation Dice, threshold 0.5",
            STEP,
            Axis("Dice", low=0, high=1),
            _named(
                run,
                {
                    "validation/dice": "all strips",
                    "validation/dice_empty": "predicting nothing",
                    "validation/dice_positive": "positives only",
                    "validation/dice_original_mix": "at the original mix",
                },
            ),
        ),
        Chart(
            "Positives-only Dice by class",
            STEP,
            Axis("Dice", low=0, high=1),
            _by_class(run, names, "dice_positive"),
        ),
        Chart(
            "Recall by class",
            STEP,
            Axis("strips found", low=0, high=1),
            _by_class(run, names, "recall"),
            "A class that stays at zero has collapsed.",
        ),
        Chart(
            "Clean strips with a false alarm",
            STEP,
            Axis("strips", low=0),
            _named(run, {"validation/false_alarms": "false alarms"}),
            "At threshold 0.5 and any area: before tuning.",
        ),
    ]


def _prefixed(run: RunFacts, prefix: str) -> tuple[Series, ...]:
    keys = dict.fromkeys(
        key for entry in run.log for key in entry if key == prefix or key.startswith(f"{prefix}/")
    )
    names = {key: key.removeprefix(f"{prefix}/") for key in keys}
    return _named(run, {key: "all" if key == prefix else name for key, name in names.items()})


def _by_class(run: RunFacts, names: Sequence[str], figure: str) -> tuple[Series, ...]:
    return _named(run, {f"class_{n}/{figure}": name for n, name in enumerate(names, start=1)})


def _named(run: RunFacts, names: Mapping[str, str]) -> tuple[Series, ...]:
    return tuple(
        thinned(Series(name, points, number))
        for number, (key, name) in enumerate(names.items(), start=1)
        if (points := _points(run, key))
    )


def _points(run: RunFacts, key: str) -> tuple[tuple[float, float], ...]:
    return tuple((entry["step"], entry[key]) for entry in run.log if key in entry)


def precision_charts(curves: Curves, score: Score, classes: Sequence[DefectClass]) -> list[Chart]:
    """Precision over recall, of pixels and of strips; where a threshold was chosen, a dot."""
    chosen = {one.name: one.threshold for one in classes}
    reached = {
        one.name: (figures.recall, figures.precision)
        for one, figures in zip(classes, score.classes, strict=True)
        if figures.strips and figures.reported + figures.wrongly
    }
    reached["any"] = (score.recall, score.precision)
    pixel_dots = {
        one.name: dot
        for one in curves.pixel
        if one.name in chosen and (dot := _at(one, chosen[one.name])) is not None
    }
    return [
        _precision_chart("Pixels", curves.pixel, pixel_dots, "Dots: at the chosen thresholds."),
        _precision_chart(
            "Whole strips",
            curves.image,
            reached,
            "By the highest probability on a strip. Dots: what was reached with thresholds and "
            "minimum areas, which can lie above the curve.",
        ),
    ]


def _precision_chart(
    title: str, curves: Iterable[PrCurve], dots: Mapping[str, tuple[float, float]], note: str
) -> Chart:
    series: list[Series] = []
    for number, one in enumerate(curves, start=1):
        average = "" if one.average_precision is None else f", AP {one.average_precision:.2f}"
        line = tuple(zip(one.recall, one.precision, strict=True))
        series.append(Series(one.name + average, line, number))
        if one.name in dots:
            series.append(Series("", (dots[one.name],), number, "dots", labels=(one.name,)))
    recall, precision = Axis("recall", low=0, high=1), Axis("precision", low=0, high=1)
    return Chart(f"{title}: precision over recall", recall, precision, tuple(series), note)


def _at(curve: PrCurve, threshold: float) -> tuple[float, float] | None:
    """Recall and precision at the nearest threshold of a curve."""
    if not curve.threshold:
        return None
    distances = [abs(one - threshold) for one in curve.threshold]
    nearest = distances.index(min(distances))
    return curve.recall[nearest], curve.precision[nearest]


def trade_off_chart(run: RunFacts) -> Chart:
    """What else could be had: strips found over false alarms, as the price of an alarm rises."""
    points = () if run.tuning is None else run.tuning.fit.trade_off
    line = tuple(sorted((100 * p.false_alarm_share, 100 * p.detected_share) for p in points))
    here = run.headline
    series = [Series("other thresholds and areas", line, 1, "both")] if line else []
    if here is not None and here.clean and here.defective:
        at = (100 * here.false_alarms / here.clean, 100 * here.recall)
        series.append(Series("as tuned, cross-fitted", (at,), 3, "dots"))
    return Chart(
        "Defective strips found over false alarms",
        Axis("clean strips with a false alarm, %", low=0),
        Axis("defective strips found, %", high=100),
        tuple(series),
        "Each point is the fit at another price of an alarm, cross-fitted.",
    )
