"""A share that grows and never falls, from phases within phases."""

from hypothesis import given, settings, strategies as st

from edge_daemon.plans.phases import BuildPhases


def test_steps_of_an_inner_phase_fill_the_step_of_the_outer_one() -> None:
    phases = BuildPhases()
    phases.start("building", None, 4)
    phases.step("building", 0)
    assert phases.share() == 0.25
    phases.start("timing", "building", 2)
    phases.step("timing", 0)
    assert phases.share() == 0.375
    phases.start("reformats", "timing", 2)
    phases.step("reformats", 0)
    assert phases.share() == 0.4375


def test_the_end_of_an_inner_phase_is_no_step_back() -> None:
    phases = BuildPhases()
    phases.start("building", None, 2)
    phases.start("timing", "building", 1)
    phases.step("timing", 0)
    assert phases.share() == 0.5
    phases.finish("timing")
    assert phases.share() == 0.5
    phases.step("building", 0)
    assert phases.share() == 0.5


def test_a_phase_without_steps_or_beginning_does_no_harm() -> None:
    phases = BuildPhases()
    phases.step("unheard of", 3)
    phases.start("building", None, 0)
    phases.step("building", 0)
    assert phases.share() == 1.0


names = st.sampled_from(["a", "b", "c"])
starts = st.tuples(
    st.just("start"), names, st.one_of(st.none(), st.just("z"), st.just("a")), st.integers(0, 4)
)
steps = st.tuples(st.just("step"), names, st.none(), st.integers(0, 6))
ends = st.tuples(st.just("finish"), names, st.none(), st.just(0))


@settings(deadline=None, derandomize=True)
@given(st.lists(st.one_of(starts, steps, ends), max_size=30))
def test_the_share_never_falls_nor_leaves_0_to_1(
    events: list[tuple[str, str, str | None, int]],
) -> None:
    phases, before = BuildPhases(), 0.0
    for what, name, parent, number in events:
        match what:
            case "start" if parent != name:
                phases.start(name, parent, number)
            case "step":
                phases.step(name, number)
            case _:
                phases.finish(name)
        assert before <= phases.share() <= 1.0
        before = phases.share()
