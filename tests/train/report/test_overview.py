from dataclasses import replace

from train.report.gathering import RunFacts
from train.report.overview import accuracy_charts, comparison_table, differences_table
from train.report.plots import chart_html
from train.report.tables import Cell, table_markdown


def test_predicting_nothing_stands_above_all_runs(study: dict[str, RunFacts]) -> None:
    table = comparison_table(list(study.values()))
    first = [one.value if isinstance(one, Cell) else one for one in table.rows[0]]
    assert first[0] == "predicting nothing"
    assert first[1] == "0.859"
    assert len(table.rows) == len(study) + 1
    assert {len(row) for row in table.rows} == {len(table.head)}


def test_the_fewest_false_alarms_are_the_best(study: dict[str, RunFacts]) -> None:
    table = comparison_table(list(study.values()))
    column = table.head.index("false alarms on clean strips")
    cells = [row[column] for row in table.rows]
    best = [one for one in cells if isinstance(one, Cell) and one.mark == "best"]
    shares = [run.headline.false_alarms for run in study.values() if run.headline is not None]
    scores = [run.headline for run in study.values() if run.headline is not None]
    assert best
    assert min(shares) == min(one.false_alarms for one in scores)
    assert best[0].value.startswith(f"{100 * min(shares) / scores[0].clean:.1f} %")


def test_a_run_that_was_not_judged_is_listed_without_figures(study: dict[str, RunFacts]) -> None:
    text = table_markdown(comparison_table([study["unfinished"]]))
    assert "not judged" in text
    assert "train eval" in text


def test_runs_on_different_strips_are_not_compared_in_silence(study: dict[str, RunFacts]) -> None:
    nano, small = study["steel-nano"], study["steel-small"]
    assert "with care" not in comparison_table([nano, small]).note
    other = replace(small, held_out=frozenset({"another.jpg"}))
    assert "with care" in comparison_table([nano, other]).note


def test_what_differs_from_the_baseline_is_marked(study: dict[str, RunFacts]) -> None:
    runs = [study["steel-nano"], study["no-average"]]
    [row] = differences_table(runs, runs[0]).rows
    assert [one if isinstance(one, str) else (one.value, one.mark) for one in row] == [
        "optim.ema_decay",
        ("0.998", ""),
        ("0.0", "differs"),
    ]


def test_every_judged_run_is_a_dot_with_its_name(study: dict[str, RunFacts]) -> None:
    first, *_ = accuracy_charts(list(study.values()))
    html = chart_html(first)
    for name, run in study.items():
        assert (f"{name}</text>" in html) == (run.headline is not None)
    assert "GFLOPs" in first.x.label
    assert "predicting nothing" in html
