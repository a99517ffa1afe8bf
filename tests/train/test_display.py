"""What a person sees, on a terminal and in a log file."""

import io

import numpy as np
from rich.console import Console
from rich.table import Table

from edge_daemon.core.defects import DefectClass
from train.data.checks import Report, SideCounts
from train.data.strips import Fault
from train.display import (
    NetworkRow,
    RunRow,
    class_table,
    counts_table,
    fault_table,
    networks_table,
    runs_table,
    score_table,
    sets_table,
    show_progress,
    show_stages,
    trade_off_table,
)
from train.fitting.runlog import Progress
from train.judging.counting import PixelCounts
from train.judging.figures import Prior
from train.judging.scoring import Score, score
from train.judging.tuning import OperatingPoint

NAMES = ("pitting", "[b]inclusion", "scratch", "patch")


def some_score() -> Score:
    truth = np.array([[90, 10, 0, 0, 0], [100, 0, 0, 0, 0]])
    prior = Prior(0.53, (0.071, 0.020, 0.410, 0.064))
    return score(PixelCounts(truth, truth, truth), prior=prior, resamples=20)


def printed(*tables: Table) -> str:
    text = io.StringIO()
    console = Console(file=text, width=200)
    for table in tables:
        console.print(table)
    return text.getvalue()


def test_a_log_file_gets_a_line_with_the_time_left_and_each_validation() -> None:
    text = io.StringIO()
    with show_progress(Console(file=text, width=200)) as report:
        report(Progress(1, 100, 0.5, None))
        report(Progress(2, 100, 0.5, None))
        report(Progress(3, 100, 0.4, some_score()))
    lines = text.getvalue().splitlines()
    assert [line for line in lines if line.startswith("step 1 of 100: loss 0.500,")]
    assert [line for line in lines if line.startswith("step 3: Dice 1.000")]
    assert not [line for line in lines if line.startswith("step 2")]


def test_a_terminal_gets_a_bar() -> None:
    text = io.StringIO()
    console = Console(file=text, width=100, force_terminal=True)
    with show_progress(console) as report:
        report(Progress(50, 100, 0.25, None))
    assert "50/100" in text.getvalue()


def test_a_warning_is_told_at_once_and_never_as_markup() -> None:
    text = io.StringIO()
    with show_progress(Console(file=text, width=40)) as report:
        report(Progress(1, 100, 0.5, None))
        report(Progress(2, 100, 0.5, None, warnings=("class 2 [inclusion] is never found",)))
    assert "warning: step 2: class 2 [inclusion] is never found\n" in text.getvalue()


def test_stages_are_lines_in_a_log_file() -> None:
    text = io.StringIO()
    with show_stages(Console(file=text, width=40)) as tell:
        tell("validation: 202 strips through [the] network, which is a long line")
    assert text.getvalue() == (
        "validation: 202 strips through [the] network, which is a long line\n"
    )


def test_errors_stand_above_warnings_and_names_are_no_markup() -> None:
    faults = [
        Fault("a.jpg", "looks odd", "warning"),
        Fault("[bold]b.jpg", "is [bold]", "error"),
    ]
    text = printed(fault_table(faults))
    assert text.index("is [bold]") < text.index("looks odd")
    assert "[bold]b.jpg" in text
    assert "warning" in text


def test_strips_are_counted_per_class_and_side() -> None:
    side = SideCounts(12, (3, 2, 4, 1), 5)
    report = Report(
        all=side,
        training=SideCounts(9, (2, 2, 3, 1), 4),
        validation=None,
        suspects=(),
        sizes_wh=(((1600, 256), 12),),
        duplicates=(),
        torn_at_random=0,
        torn=0,
        faults=(),
    )
    text = printed(counts_table(report))
    assert "class 4" in text
    assert "training" in text
    assert "validation" not in text


def test_figures_have_their_intervals_and_stand_beside_predicting_nothing() -> None:
    one = some_score()
    text = printed(score_table("validation", one, NAMES))
    assert "[b]inclusion" in text
    assert "0/1" in text
    assert f"{one.dice_empty:.3f}" in text
    interval = one.intervals["dice_empty"]
    assert f"{interval.low:.2f}-{interval.high:.2f}" in text


def test_sets_stand_beside_each_other_and_beside_predicting_nothing() -> None:
    one = some_score()
    text = printed(sets_table("all", {"held-out [strips]": one, "simulated": one}))
    assert "held-out [strips]" in text
    assert text.count("1/1") == 2
    assert text.count(f"{one.dice_empty_original_mix:.3f}") == 2


def test_a_table_of_figures_fits_a_terminal_of_80_columns() -> None:
    text = io.StringIO()
    Console(file=text, width=80).print(score_table("validation", some_score(), NAMES))
    assert "\N{HORIZONTAL ELLIPSIS}" not in text.getvalue()


def test_a_class_that_is_not_in_the_set_has_no_figures() -> None:
    rows = printed(score_table("validation", some_score(), NAMES)).splitlines()
    [dice] = [row for row in rows if "Dice, positives" in row]
    cells = [cell.strip() for cell in dice.split("\N{BOX DRAWINGS LIGHT VERTICAL}")]
    assert cells[2:-1] == ["1.000", "", "", "", "1.000"]


def test_settings_and_what_else_could_be_had_are_listed() -> None:
    classes = [DefectClass(1, "pitting", threshold=0.45, min_area_px=300, severity="minor")]
    points = [OperatingPoint(p, 0.05, 0.9, 0.6, 0.93, ()) for p in (0.0, 0.25, 0.5)]
    text = printed(class_table(classes), trade_off_table(points, chosen=0.5))
    assert "0.45" in text
    assert "300" in text
    assert text.count("5.0 %") == 2
    assert text.count("> 0.5 ") == 1
    assert " 0.25 " not in text, "it brings nothing other than the row above"


def test_speed_is_a_column_only_where_it_was_measured() -> None:
    plain = NetworkRow("steel-nano", 3_210_000, 0.62, 4)
    timed = NetworkRow("steel-small", 3_210_000, 2.1, 4, strips_per_s=18.25, times_smp=9.5)
    assert "strips/s" not in printed(networks_table([plain]))
    text = printed(networks_table([plain, timed]))
    assert "3.2 M" in text
    assert "18.2" in text
    assert "9.50" in text


def test_a_run_without_a_validation_has_no_figures() -> None:
    text = printed(runs_table([RunRow("new", 0, 5000, None, None, None)]))
    assert "new" in text
    assert "None" not in text
