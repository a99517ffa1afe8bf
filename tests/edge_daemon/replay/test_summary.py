import pytest

from edge_daemon.replay.summary import ReplaySummary, StageTimes
from tests.edge_daemon.marked_steel import BRIGHT, inspector, message, steel, unreadable


@pytest.fixture
def summary() -> ReplaySummary:
    """Sum up a defect over two frames, a gap of one frame and a file that can't be read."""
    summary, line = ReplaySummary(), inspector()
    marked = steel()
    marked[200:, 8:40] = BRIGHT
    going_on = steel()
    going_on[:40, 8:40] = BRIGHT
    for seq, image in ((0, marked), (1, going_on), (3, steel())):
        summary.add("a", line.inspect(message(image, seq=seq)))
    summary.add("b", inspector().inspect(unreadable()))
    for facts in line.close(0):
        summary.tell(facts)
    return summary


def test_a_defect_that_runs_over_two_frames_counts_once(summary: ReplaySummary) -> None:
    assert summary.defects == {"scratch": 1}


def test_every_frame_has_one_verdict_and_every_row_is_booked(summary: ReplaySummary) -> None:
    assert summary.frames == 4
    assert summary.verdicts == {"defective": 2, "clean": 1, "not_inspected": 1}
    assert summary.reasons == {"unreadable": 1}
    assert (summary.lines_inspected, summary.lines_not_inspected) == (3 * 256, 256)


def test_for_scripts_every_verdict_is_there_even_if_none_had_it() -> None:
    summary = ReplaySummary()
    assert summary.to_json() == {
        "frames": 0,
        "clean": 0,
        "defective": 0,
        "not_inspected": 0,
        "reasons": {},
        "defects": {},
        "lines_inspected": 0,
        "lines_not_inspected": 0,
        "seconds": 0.0,
        "frames_per_s": 0.0,
        "stage_seconds": {},
    }


def test_time_is_measured_though_the_replay_fails() -> None:
    summary = ReplaySummary()
    with pytest.raises(ValueError, match="in the middle"), summary.timed():
        raise ValueError("in the middle")
    assert summary.seconds > 0


def test_times_of_a_stage_add_up(summary: ReplaySummary) -> None:
    stage = StageTimes(summary.stage_seconds)
    with stage("cut"):
        pass
    first = summary.stage_seconds["cut"]
    with stage("cut"):
        pass
    assert summary.stage_seconds["cut"] > first > 0
