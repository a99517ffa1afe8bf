"""How figures read, on the page and on a terminal: a value and how far it can be trusted."""

from train.judging.intervals import Interval
from train.judging.scoring import Score

_PERCENT = 100.0
SHARES = frozenset(("detected_share", "false_alarm_share", "found_share", "precision", "recall"))
"""Figures that are told in percent."""

FIGURE_NAMES = {
    "dice_original_mix": "Dice at the original mix",
    "dice_positive": "Dice, positives only",
    "dice": "Dice of these strips",
    "detected_share": "defective strips found",
    "false_alarm_share": "false alarms on clean strips",
    "iou": "mIoU",
    "auc": "AUC, any defect",
}
HIGHER_IS_BETTER = {name: name != "false_alarm_share" for name in FIGURE_NAMES}


def is_share(name: str) -> bool:
    """Whether a figure, by its name or `class_1/name`, is told in percent."""
    return name.rpartition("/")[2] in SHARES


def figure_text(name: str, value: float) -> str:
    """A figure alone."""
    return f"{_PERCENT * value:.1f} %" if is_share(name) else f"{value:.3f}"


def span_text(name: str, interval: Interval) -> str:
    """The 95 % interval alone."""
    if is_share(name):
        return f"{_PERCENT * interval.low:.1f} to {_PERCENT * interval.high:.1f}"
    return f"{interval.low:.3f} to {interval.high:.3f}"


def measured_text(score: Score, name: str) -> str:
    """A figure of a score, its interval on a second line; empty where nothing could be measured."""
    value = score.figures().get(name)
    if value is None:
        return ""
    interval = score.intervals.get(name)
    span = f"\n{span_text(name, interval)}" if interval else ""
    return figure_text(name, value) + span


def plotted(name: str, value: float) -> float:
    """A figure as an axis has it: percent of shares."""
    return _PERCENT * value if is_share(name) else value


def axis_label(name: str) -> str:
    """What an axis of this figure says."""
    return FIGURE_NAMES[name] + (", %" if is_share(name) else "")


def title_of(name: str) -> str:
    """A figure's name at the beginning of a heading."""
    words = FIGURE_NAMES[name]
    return words[0].upper() + words[1:]


def difference_text(name: str, value: float) -> str:
    """A difference of a figure, with its sign; of percentages in points."""
    return f"{_PERCENT * value:+.1f}" if is_share(name) else f"{value:+.3f}"


def count_text(value: float) -> str:
    """A large number as people write it: 5.3 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:.{0 if value >= 100 * size else 1}f}{unit}"
    return f"{value:.0f}"


def speed_text(strips_per_s: float) -> str:
    """Strips per second to three digits."""
    return f"{strips_per_s:.3g}"
