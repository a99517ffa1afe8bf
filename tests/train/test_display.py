"""What a person sees, on a terminal and in a log file."""

import io

import numpy as np
from rich.console import Console

from train.display import fault_table, score_table, show_progress
from train.runlog import Progress
from train.scoring import PixelCounts, Score, score
from train.strips import Fault


def some_score() -> Score:
    truth = np.array([[10, 0, 0, 0], [0, 0, 0, 0]])
    return score(PixelCounts(truth, truth, truth))


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


def test_tables_hold_every_row() -> None:
    text = io.StringIO()
    console = Console(file=text, width=200)
    console.print(fault_table([Fault("a.jpg", "is small"), Fault("b.jpg", "is [bold]")]))
    console.print(score_table("validation", some_score()))
    assert "is small" in text.getvalue()
    assert "is [bold]" in text.getvalue()
    assert "1/1" in text.getvalue()
