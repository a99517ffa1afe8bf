import math
from dataclasses import replace

from hypothesis import given, settings, strategies as st

from train.report.plots import MOST_POINTS, Axis, Chart, Look, Series, chart_html, thinned

CHART = Chart(
    "Loss", Axis("step"), Axis("loss"), (Series("all", ((0, 1.0), (10, 0.5), (20, 0.25))),)
)


def test_a_line_goes_through_every_point() -> None:
    html = chart_html(CHART)
    line = html.split("d='")[-1] if "class='line" not in html else html.split("class='line")[1]
    assert line.split("'/>")[0].count("L") == 2
    assert "<figcaption>Loss</figcaption>" in html


def test_a_value_that_is_not_finite_is_a_gap_and_not_a_point() -> None:
    points = ((0, 1.0), (1, 0.9), (2, math.nan), (3, 0.5), (4, 0.4))
    html = chart_html(replace(CHART, series=(Series("all", points),)))
    drawn = html.split("class='line")[1].split("'/>")[0]
    assert drawn.count("M") == 2
    assert "nan" not in html


def test_a_chart_without_points_says_so_and_draws_nothing() -> None:
    html = chart_html(replace(CHART, series=(Series("all", ((0, math.nan),)),)))
    assert "No values." in html
    assert "<svg" not in html


def test_a_single_value_is_a_dot() -> None:
    html = chart_html(replace(CHART, series=(Series("all", ((5, 0.5),)),)))
    assert html.count("class='dot") == 1


def test_who_can_not_see_the_chart_hears_first_and_last_values() -> None:
    assert 'aria-label="Loss: loss over step. all: 1 at 0 to 0.25 at 20."' in chart_html(CHART)


def test_series_are_told_apart_without_colour() -> None:
    series = tuple(Series(f"n{n}", ((0, n), (1, n)), n, "both") for n in range(1, 9))
    html = chart_html(replace(CHART, series=series))
    markers = {part.split("'")[1] for part in html.split("class='dot s")[1:] for part in [part[1:]]}
    assert len({part.split(" d='")[1].split("'")[0] for part in html.split("class='dot")[1:]}) == 8
    assert markers
    assert html.count("<li>") == 8


def test_names_never_write_the_page() -> None:
    hostile = "</svg><script>alert(1)</script>"
    series = Series(hostile, ((0, 1), (1, 2)), 1, "dots", labels=(hostile, hostile))
    html = chart_html(Chart(hostile, Axis(hostile), Axis(hostile), (series,), hostile))
    assert "<script" not in html


def test_a_long_line_keeps_its_range_and_its_mean() -> None:
    points = tuple((n, float(n % 2)) for n in range(10_000))
    line = thinned(Series("loss", points))
    assert len(line.points) <= MOST_POINTS
    assert set(line.spans) == {(0.0, 1.0)}
    assert all(abs(y - 0.5) < 0.05 for _, y in line.points)
    short = Series("loss", points[:5])
    assert thinned(short) == short


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    points=st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), max_size=12),
    look=st.sampled_from(["line", "dots", "both"]),
    is_log=st.booleans(),
)
def test_any_values_make_a_drawing_that_can_be_read(
    *, points: list[tuple[float, float]], look: Look, is_log: bool
) -> None:
    spans = tuple((y, y) for _, y in points)
    series = Series("a", tuple(points), 3, look, spans, tuple("n" for _ in points))
    html = chart_html(Chart("t", Axis("x", is_log=is_log), Axis("y"), (series,)))
    drawing = html[html.find("<svg") : html.find("</svg>") + 6]
    assert "nan" not in drawing
    assert "inf" not in drawing
