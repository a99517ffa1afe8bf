from hypothesis import given, settings, strategies as st

from train.report.labels import CHARACTER_PX, HEIGHT_PX, place_labels

INSIDE = (50.0, 0.0, 440.0, 230.0)


def overlap(a: tuple[float, float], b: tuple[float, float], width: float) -> bool:
    return abs(a[0] - b[0]) < width and abs(a[1] - b[1]) < HEIGHT_PX


def test_labels_of_near_points_do_not_hide_each_other() -> None:
    points = [("first", (200.0, 100.0)), ("other", (204.0, 103.0)), ("third", (200.0, 110.0))]
    places = [place for _, place in place_labels(points, INSIDE)]
    for n, one in enumerate(places):
        assert not any(overlap(one, other, 5 * CHARACTER_PX) for other in places[n + 1 :])


@settings(deadline=None, derandomize=True)
@given(st.floats(50, 440), st.floats(0, 230))
def test_a_label_alone_stays_inside(x: float, y: float) -> None:
    [(_, (left, baseline))] = place_labels([("steel-nano", (x, y))], INSIDE)
    assert left >= 50
    assert left + 10 * CHARACTER_PX <= 440
    assert 0 <= baseline <= 230
