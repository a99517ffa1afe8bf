"""Every contestant in two real processes over a real socket."""

import numpy as np
import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.transport.comparing import MODULES, compare_transport, peers_named, plan_for
from benchmarks.transport.frames import Dispatch, Meter, Plan
from benchmarks.transport.ours import CHECKED, OURS
from benchmarks.transport.passage import run_passage
from benchmarks.transport.way import Held, Opened, Way

PLAN = Plan(height_px=64, width_px=128, warm_up=2, frames=8)


def leave(address: str, meter: Meter, *, opened: Opened) -> None:  # noqa: ARG001 - the protocol's
    """A receiving end that closes the door at once."""
    opened()


def alter(address: str, meter: Meter, *, opened: Opened) -> None:  # noqa: ARG001 - the protocol's
    """A receiving end that gets something else than was sent."""
    opened()
    for image in Dispatch(PLAN).images():
        meter.saw(np.ascontiguousarray(image[::-1]))


def send_nothing(address: str, dispatch: Dispatch, *, held: Held) -> None:  # noqa: ARG001 - as above
    """A sending end that only waits."""
    held()


@pytest.mark.parametrize("way", [OURS, CHECKED], ids=lambda way: way.name)
def test_our_way_carries_every_frame(way: Way) -> None:
    passage = run_passage(way, PLAN)

    assert (passage.arrived, passage.lost) == (8, 0)
    assert passage.seconds > 0.0


@pytest.mark.parametrize("name", list(MODULES))
def test_every_way_of_a_peer_carries_every_frame(name: str) -> None:
    pytest.importorskip(name, reason=f"{name} isn't installed (extra `bench`)")

    passages = [run_passage(way, PLAN) for way in peers_named([name])]

    assert [(one.arrived, one.lost) for one in passages] == [(8, 0)] * len(passages)


def test_a_receiving_end_that_leaves_is_no_result() -> None:
    with pytest.raises(BenchmarkError, match="0 of 10 frames came"):
        run_passage(Way("leaving", send_nothing, leave), PLAN)


def test_an_altered_frame_is_no_result() -> None:
    with pytest.raises(BenchmarkError, match=r"altering: frame 0 came as .* altered"):
        run_passage(Way("altering", send_nothing, alter), PLAN)


def test_large_frames_are_fewer_so_that_a_passage_fits_into_memory() -> None:
    small, large = plan_for(256, 1600, frames=900), plan_for(4096, 8192, frames=900)

    assert small.frames == 900
    assert large.frames == 1
    assert plan_for(1024, 2048, frames=900).frames < 300


def test_a_comparison_names_size_and_losses() -> None:
    report = compare_transport(OURS, [CHECKED], plans=[PLAN], rounds=2)

    (comparison,) = report.comparisons
    assert comparison.ours == "edge-daemon, 64x128"
    assert comparison.peer == "edge-daemon with CRC-32"
    assert len(comparison.ratios) == 2
    assert [row[-1] for row in report.findings[0].rows] == ["0", "0"]
