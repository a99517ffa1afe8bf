from dataclasses import replace

from train.report.comparison import learning_curves
from train.report.gathering import RunFacts
from train.report.studies import ablation_table, learning_charts, learning_table
from train.report.tables import Cell, table_markdown


def test_a_choice_that_surely_hurts_is_marked_as_worse(study: dict[str, RunFacts]) -> None:
    table = ablation_table(study["steel-nano"], [study["steel-nano"], study["quarter"]])
    baseline, changed = table.rows
    assert "the baseline" in str(baseline[0])
    assert "data.training_share 1.0 to 0.25" in str(changed[0])
    found = changed[table.head.index("Dice at the original mix")]
    assert isinstance(found, Cell)
    assert found.mark == "worse"
    assert found.value.startswith("-")


def test_more_false_alarms_are_worse(study: dict[str, RunFacts]) -> None:
    table = ablation_table(study["steel-small"], list(study.values()))
    assert table.rows
    column = table.head.index("false alarms on clean strips")
    cells = [row[column] for row in table.rows[1:]]
    for cell in cells:
        assert isinstance(cell, Cell)
        assert cell.mark in ("", "worse" if cell.value.startswith("+") else "better")


def test_without_the_same_strips_there_is_a_difference_but_no_interval(
    study: dict[str, RunFacts],
) -> None:
    other = replace(study["half"], curves={})
    table = ablation_table(study["steel-nano"], [other])
    cell = table.rows[1][1]
    assert isinstance(cell, Cell)
    assert cell.value
    assert "\n" not in cell.value
    assert cell.mark == ""
    assert "other strips" in table.note


def test_the_learning_curve_rises_with_the_data_and_has_intervals(
    study: dict[str, RunFacts],
) -> None:
    [group] = learning_curves(list(study.values()))
    line = learning_charts(group)[1].series[-1]
    assert [x for x, _ in line.points] == [20, 40, 80]
    assert len(line.spans) == 3
    text = table_markdown(learning_table(group))
    assert "25 %" in text
    assert "steel-nano" in text
