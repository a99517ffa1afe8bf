from train.report.gathering import RunFacts
from train.report.results import alarm_table, class_table, threshold_table
from train.report.tables import table_html


def test_every_class_stands_beside_predicting_nothing_with_its_interval(
    study: dict[str, RunFacts],
) -> None:
    run = study["steel-nano"]
    assert run.headline is not None
    table = class_table(run.headline, run.class_names, title="held out")
    assert len(table.rows) == 5
    assert {len(row) for row in table.rows} == {len(table.head)}
    html = table_html(table)
    one = run.headline.classes[0]
    interval = run.headline.intervals["class_1/dice_positive"]
    assert f"{one.dice_positive:.3f}<small>{interval.low:.3f} to {interval.high:.3f}" in html
    assert f"{one.dice_empty:.3f}" in html
    assert 'class="chip c1"' in html


def test_false_alarms_are_counted_on_every_set_with_both_kinds_of_thresholds(
    study: dict[str, RunFacts],
) -> None:
    table = alarm_table(study["steel-nano"])
    kinds = [str(row[0]) for row in table.rows]
    assert sum("cross-fitted" in kind for kind in kinds) == 3
    assert sum("own thresholds" in kind for kind in kinds) == 4
    assert {len(row) for row in table.rows} == {len(table.head)}


def test_thresholds_are_listed(study: dict[str, RunFacts]) -> None:
    run = study["steel-nano"]
    assert run.measured is not None
    table = threshold_table(run.measured.classes)
    assert [row[1] for row in table.rows] == ["0.50"] * 4
