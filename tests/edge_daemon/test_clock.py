import pytest

from edge_daemon.clock import ManualClock, SystemClock


def test_the_systems_monotonic_clock_never_goes_back() -> None:
    clock = SystemClock()
    seen = [clock.monotonic_ns() for _ in range(1000)]
    assert seen == sorted(seen)
    assert clock.now_ns() > 1_700_000_000_000_000_000


def test_a_manual_clock_stands_still_until_it_is_moved() -> None:
    clock = ManualClock(now_ns=100, monotonic_ns=5)
    assert (clock.now_ns(), clock.monotonic_ns()) == (100, 5)
    clock.advance(10)
    assert (clock.now_ns(), clock.monotonic_ns()) == (110, 15)


def test_setting_the_wall_clock_back_leaves_the_monotonic_one_alone() -> None:
    clock = ManualClock(now_ns=100, monotonic_ns=5)
    clock.set_now(1)
    assert (clock.now_ns(), clock.monotonic_ns()) == (1, 5)
    with pytest.raises(ValueError, match="-1 ns"):
        clock.advance(-1)
