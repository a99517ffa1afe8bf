import threading
from collections.abc import Iterable, Iterator

import pytest

from edge_daemon.clock import SystemClock
from edge_daemon.conveyor import Conveyor
from edge_daemon.core.wire import parse
from edge_daemon.errors import EngineError, FrameError, RejectReason, SourceError
from edge_daemon.outcomes import Facts, Message, Outcome
from edge_daemon.recordings.sources import SourceFrame
from edge_daemon.replay.player import Pace, Reader, play_through
from tests.edge_daemon.marked_steel import (
    BREAKS,
    BRIGHT,
    MarkFinder,
    inspector,
    message,
    preparer,
    steel,
    untimed,
)

SECOND_NS = 1_000_000_000


class Notes:
    """An output that keeps what it is given, in order."""

    def __init__(self) -> None:
        self.taken: list[str | Facts] = []
        self.outcomes: list[Outcome] = []

    def add(self, source: str, outcome: Outcome) -> None:
        self.taken.append(source)
        self.outcomes.append(outcome)

    def tell(self, facts: Facts) -> None:
        self.taken.append(facts)


def frame(name: str, sent: Message) -> SourceFrame:
    return SourceFrame(name, [bytes(part) for part in sent.parts], sent.received_ns)


def play(
    *frames: SourceFrame, notes: Notes | None = None, source: Iterable[SourceFrame] | None = None
) -> tuple[Notes, list[None]]:
    notes, done = notes or Notes(), list[None]()
    reader = Reader(frames if source is None else source, Pace(None))
    conveyor = Conveyor(reader, preparer(), MarkFinder(), stage=untimed, clock=SystemClock())
    with reader, conveyor:
        play_through(
            reader, conveyor, inspector(), outputs=[notes], progress=lambda: done.append(None)
        )
    return notes, done


def test_every_frame_goes_to_the_outputs_and_then_what_was_open() -> None:
    marked = steel()
    marked[200:, 8:40] = BRIGHT
    notes, done = play(
        frame("a", message(steel(), coil="C1")), frame("b", message(marked, seq=1, coil="C1"))
    )
    assert notes.taken[:2] == ["a", "b"]
    ends = [fact for fact in notes.taken[2:] if isinstance(fact, Facts)]
    told = [announcement.topic for facts in ends for announcement in facts.announcements]
    assert told == ["event/defect", "event/coil"]
    assert len(done) == 2


def test_what_cannot_be_read_is_an_outcome_and_the_rest_goes_on() -> None:
    error = FrameError(RejectReason.UNREADABLE, "the file is empty")
    notes, done = play(SourceFrame("broken", None, 0, error), frame("b", message(steel())))
    assert [outcome.record.verdict.value for outcome in notes.outcomes] == [
        "not_inspected",
        "clean",
    ]
    assert notes.outcomes[0].record.reason == "unreadable"
    assert len(done) == 2


def test_a_fault_of_the_engine_ends_it_after_the_outputs_have_the_frame() -> None:
    notes = Notes()
    broken = steel()
    broken[0, 0] = BREAKS
    with pytest.raises(EngineError):
        play(frame("a", message(broken)), frame("b", message(steel(), seq=1)), notes=notes)
    assert notes.taken == ["a"]
    assert notes.outcomes[0].record.reason == "engine_fault"


def test_a_source_that_breaks_off_is_an_error_after_what_it_gave() -> None:
    def breaks_off() -> Iterator[SourceFrame]:
        yield frame("a", message(steel()))
        raise SourceError("b: the disk is gone")

    notes = Notes()
    with pytest.raises(SourceError, match="the disk is gone"):
        play(source=breaks_off(), notes=notes)
    assert notes.taken == ["a"]


def test_a_coil_ends_with_the_time_of_the_last_frame() -> None:
    first, last = (
        message(steel(), coil="C1", t_ns=5 * SECOND_NS),
        message(steel(), seq=1, coil="C1"),
    )
    assert parse(last.parts).header.t_ns > 5 * SECOND_NS
    notes, _ = play(frame("a", first), frame("b", last))
    done = [fact for fact in notes.taken if isinstance(fact, Facts)][-1].announcements[-1].body
    assert done.model_dump()["done_at"].startswith("2001-09-09T01:46:40")


def test_as_fast_as_can_be_never_waits() -> None:
    waits: list[float] = []
    pace = Pace(None, waits.append)
    for seconds in (0, 10, 3600):
        pace.wait_for(seconds * SECOND_NS)
    assert waits == []


@pytest.mark.parametrize("factor", [0.5, 1.0, 4.0])
def test_a_pace_waits_for_the_recorded_time_by_its_factor(factor: float) -> None:
    waits: list[float] = []
    pace = Pace(factor, waits.append)
    for seconds in (100_000, 150_000, 200_000):
        pace.wait_for(seconds * SECOND_NS)
    assert waits == pytest.approx([0.0, 50_000 / factor, 100_000 / factor], abs=1000)


def test_a_recording_whose_clock_goes_back_is_not_waited_for() -> None:
    waits: list[float] = []
    pace = Pace(1.0, waits.append)
    pace.wait_for(100 * SECOND_NS)
    pace.wait_for(0)
    assert waits == [0.0, 0.0]


def test_a_damaged_time_centuries_away_is_waited_for_as_long_as_can_be() -> None:
    waits: list[float] = []
    pace = Pace(1.0, waits.append)
    pace.wait_for(0)
    pace.wait_for(2**64 - 1)
    assert waits[-1] == threading.TIMEOUT_MAX
