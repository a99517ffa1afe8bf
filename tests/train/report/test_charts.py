from train.report.charts import precision_charts, trade_off_chart, training_charts
from train.report.gathering import RunFacts
from train.report.plots import Chart


def by_title(charts: list[Chart]) -> dict[str, Chart]:
    return {chart.title: chart for chart in charts}


def test_parts_of_the_loss_are_lines_of_their_own(study: dict[str, RunFacts]) -> None:
    loss = by_title(training_charts(study["steel-nano"]))["Loss"]
    assert [one.name for one in loss.series] == ["all", "cross_entropy", "dice"]
    assert all(len(one.points) == 40 for one in loss.series)


def test_recall_is_drawn_for_each_class_under_its_name(study: dict[str, RunFacts]) -> None:
    recall = by_title(training_charts(study["steel-nano"]))["Recall by class"]
    assert [one.name for one in recall.series] == ["pitting", "inclusion", "scratch", "patch"]
    assert [x for x, _ in recall.series[0].points] == [100, 200, 300, 400]


def test_precision_is_drawn_of_pixels_and_of_strips_with_the_chosen_threshold(
    study: dict[str, RunFacts],
) -> None:
    run = study["steel-nano"]
    assert run.measured is not None
    score = run.measured.fitted["validation"]
    curves = run.curves["validation"]
    pixels, strips = precision_charts(curves, score, run.measured.classes)
    assert len([one for one in pixels.series if one.look == "line"]) == 4
    assert len([one for one in strips.series if one.look == "line"]) == 5
    [dot] = [one for one in pixels.series if one.labels == ("pitting",)]
    half = curves.pixel[0].threshold.index(0.5)
    assert dot.points == ((curves.pixel[0].recall[half], curves.pixel[0].precision[half]),)
    [dot] = [one for one in strips.series if one.labels == ("any",)]
    assert dot.points == ((score.recall, score.precision),)


def test_what_else_could_be_had_is_drawn_with_what_was_taken(study: dict[str, RunFacts]) -> None:
    line, taken = trade_off_chart(study["steel-nano"]).series
    assert [x for x, _ in line.points] == sorted(x for x, _ in line.points)
    assert len(line.points) == 3
    assert len(taken.points) == 1
    assert not trade_off_chart(study["unfinished"]).has_points
