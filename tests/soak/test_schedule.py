import pytest

from tests.soak.schedule import CONTROL_SHARE, Fault, plan


def test_the_same_seed_plans_the_same_and_another_something_else() -> None:
    first, second = (plan(seconds=60, cameras=4, seed=1) for _ in range(2))
    assert first == second
    assert first != plan(seconds=60, cameras=4, seed=2)


@pytest.mark.parametrize("seconds", [30.0, 60.0, 1800.0])
def test_every_kind_of_fault_comes_at_least_once_and_in_time(seconds: float) -> None:
    planned = plan(seconds=seconds, cameras=4, seed=3)
    assert {each.fault for each in planned} == set(Fault)
    assert [*planned] == sorted(planned)
    assert all(0 < each.at_s < seconds for each in planned)
    assert {each.camera for each in planned} <= {0, 1, 2, 3}


def test_the_first_life_is_left_alone_for_long_enough_to_see_a_leak_in() -> None:
    kills = [p for p in plan(seconds=1800, cameras=4, seed=4) if p.fault is Fault.KILL_DAEMON]
    assert len(kills) > 15
    assert all(kill.at_s >= CONTROL_SHARE * 1800 for kill in kills)


def test_a_soak_too_short_for_faults_is_refused() -> None:
    with pytest.raises(ValueError, match="5 s are too short"):
        plan(seconds=5, cameras=1, seed=1)
