import pytest

from benchmarks.pairs import Comparison, in_pairs


def test_turns_alternate_and_the_beginner_changes() -> None:
    order: list[str] = []

    def turn(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    ours_s, peer_s = in_pairs(lambda: turn("ours", 1.0), lambda: turn("peer", 3.0), rounds=3)

    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert ours_s == (1.0, 1.0, 1.0)
    assert peer_s == (3.0, 3.0, 3.0)


def test_the_ratio_is_the_median_of_the_pairs_not_the_ratio_of_the_medians() -> None:
    comparison = Comparison("ours", "peer", (1.0, 10.0, 1.0), (2.0, 30.0, 8.0))

    assert comparison.ratios == pytest.approx((2.0, 3.0, 8.0))
    assert comparison.ratio == pytest.approx(3.0)
    assert comparison.spread == pytest.approx((2.0, 8.0))
