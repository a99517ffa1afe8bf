import math

import pytest
from hypothesis import given, strategies as st

from edge_daemon.ingest.allowance import Allowance

SECOND_NS = 10**9


def taken(allowance: Allowance, camera: str, times_ns: list[int]) -> int:
    return sum(allowance.take(camera, now_ns=now_ns) for now_ns in times_ns)


def test_a_seconds_frames_may_come_at_once_and_no_more() -> None:
    allowance = Allowance(10, most_cameras=4)
    assert taken(allowance, "a", [0] * 50) == 10
    assert taken(allowance, "a", [SECOND_NS // 2] * 50) == 5


def test_a_camera_that_keeps_to_its_rate_loses_nothing() -> None:
    allowance = Allowance(100, most_cameras=4)
    assert taken(allowance, "a", [n * SECOND_NS // 100 for n in range(1000)]) == 1000


def test_less_than_one_in_a_second_is_possible() -> None:
    allowance = Allowance(0.5, most_cameras=4)
    assert taken(allowance, "a", [n * SECOND_NS for n in range(20)]) == 10


def test_cameras_take_nothing_from_each_other() -> None:
    allowance = Allowance(10, most_cameras=4)
    taken(allowance, "flood", [0] * 1000)
    assert taken(allowance, "calm", [0] * 10) == 10


def test_made_up_names_share_what_is_left_over() -> None:
    allowance = Allowance(10, most_cameras=4)
    names = [f"name-{n}" for n in range(1000)]
    assert sum(allowance.take(name, now_ns=0) for name in names) == 4 + 10


def test_a_place_that_has_been_idle_goes_to_the_next() -> None:
    allowance = Allowance(10, most_cameras=1)
    assert taken(allowance, "a", [0] * 20) == 10
    assert taken(allowance, "b", [SECOND_NS] * 20) == 10
    assert taken(allowance, "c", [SECOND_NS] * 20) == 10
    assert taken(allowance, "d", [SECOND_NS] * 20) == 0


def test_without_a_limit_everything_passes() -> None:
    assert taken(Allowance(math.inf, most_cameras=1), "a", [0] * 1000) == 1000


@given(
    per_s=st.floats(0.1, 5000),
    gaps_ns=st.lists(st.integers(0, 3 * SECOND_NS), max_size=50),
)
def test_no_more_passes_than_the_rate_and_one_burst(per_s: float, gaps_ns: list[int]) -> None:
    allowance, now_ns, passed = Allowance(per_s, most_cameras=2), 0, 0
    for gap_ns in gaps_ns:
        now_ns += gap_ns
        passed += taken(allowance, "a", [now_ns] * 3)
    assert passed <= max(1.0, per_s) + now_ns * per_s / SECOND_NS + 1e-6


@pytest.mark.parametrize("back_ns", [1, SECOND_NS])
def test_a_clock_that_stands_still_gives_nothing(back_ns: int) -> None:
    allowance = Allowance(1, most_cameras=2)
    assert taken(allowance, "a", [back_ns] * 5) == 1
