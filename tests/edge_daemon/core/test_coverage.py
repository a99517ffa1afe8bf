"""The books of one camera: each case by itself; `test_pipeline_history` takes them together."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from edge_daemon.core.coverage import Arrival, CoverageBook, CoverageState
from edge_daemon.core.placement import Scale, place_frame
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.stretches import Stretch
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat
from edge_daemon.errors import FrameError, RejectReason

HEIGHT = 100
SECOND_NS = 1_000_000_000
SCALE = Scale(0.5, 0.5)
LOST = NotInspectedReason.LOST
STALE = NotInspectedReason.STALE


def header(seq: int, **fields: Any) -> FrameHeader:  # noqa: ANN401 - whatever a header takes
    """Frame number `seq` of a camera that exposes one a second."""
    return FrameHeader(
        **{
            "v": 1,
            "stream": "first",
            "seq": seq,
            "t_ns": (seq + 1) * SECOND_NS,
            "width": 8,
            "height": HEIGHT,
            "format": PixelFormat.MONO8,
            "codec": Codec.RAW,
            **fields,
        }
    )


def arrive(book: CoverageBook, frame: FrameHeader) -> Arrival:
    return book.arrive(frame, place_frame(frame, SCALE), now_ns=frame.t_ns)


def inspect(book: CoverageBook, frame: FrameHeader) -> list[Stretch]:
    """Let a frame arrive without a gap and be inspected."""
    assert arrive(book, frame).gap is None
    return book.book_inspected(undecided_from=None)


def stretch_of(frame: FrameHeader, reason: NotInspectedReason = STALE) -> Stretch:
    place = place_frame(frame, SCALE)
    return Stretch(
        stream=frame.stream,
        coil=frame.coil,
        reason=reason,
        from_line=place.top_line,
        to_line=place.end_line,
        lines=place.height_px,
        from_mm=place.position_mm,
        to_mm=place.end_mm,
        since_ns=frame.t_ns,
    )


def miss(
    book: CoverageBook, frame: FrameHeader, reason: NotInspectedReason = STALE
) -> list[Stretch]:
    arrive(book, frame)
    return book.book_not_inspected(stretch_of(frame, reason))


def started(*, seq: int = 0, **fields: Any) -> CoverageBook:  # noqa: ANN401 - as above
    """Books with one inspected frame."""
    book = CoverageBook()
    arrive(book, header(seq, **fields))
    book.book_inspected(undecided_from=None)
    return book


def restarted(book: CoverageBook) -> CoverageBook:
    """The books as they are after a crash."""
    assert book.state is not None
    return CoverageBook(CoverageState.model_validate_json(book.state.model_dump_json()))


def refusal_of(book: CoverageBook, frame: FrameHeader) -> RejectReason:
    before = book.state
    with pytest.raises(FrameError) as caught:
        arrive(book, frame)
    assert book.state is not None
    assert before is not None
    numbers = {"next_seq": before.next_seq, "t_ns": before.t_ns}
    assert book.state.model_copy(update=numbers) == before
    return caught.value.reason


def take_late(book: CoverageBook, frame: FrameHeader) -> Stretch | None:
    return book.take_late(frame, place_frame(frame, SCALE), now_ns=frame.t_ns)


def test_frames_that_follow_each_other_leave_no_gap() -> None:
    book = CoverageBook()
    for seq in range(5):
        arrival = arrive(book, header(seq))
        assert arrival == Arrival(
            None, frames_lost=0, repeated_lines=0, follows_on=seq > 0, starts_anew=False
        )
        assert book.book_inspected(undecided_from=None) == []
    assert book.state is not None
    assert (book.state.next_line, book.state.settled_line) == (500, 500)


def test_rows_before_the_first_frame_are_a_gap() -> None:
    arrival = arrive(CoverageBook(), header(3, coil="C1"))
    assert arrival.gap is not None
    gap = arrival.gap
    assert (gap.from_line, gap.to_line, gap.lines, gap.reason) == (0, 300, 300, LOST)
    assert (gap.from_mm, gap.to_mm, gap.coil) == (0.0, 150.0, None)
    assert (arrival.frames_lost, arrival.starts_anew) == (3, False)


@pytest.mark.parametrize(
    ("frame", "to_line", "lines", "frames_lost"),
    [
        (header(3), 300, 200, 2),
        (header(1, first_line=130), 130, 30, 0),
        (header(4, first_line=100), 100, 300, 3),
        (header(2, first_line=150), 150, 50, 1),
        (header(2, first_line=900), 900, 800, 1),
    ],
    ids=["both", "rows", "numbers", "both, frames overlap", "more rows"],
)
def test_a_jump_of_rows_or_of_numbers_is_a_gap_of_as_many(
    frame: FrameHeader, to_line: int, lines: int, frames_lost: int
) -> None:
    arrival = arrive(started(), frame)
    assert arrival.gap is not None
    gap = arrival.gap
    assert (gap.from_line, gap.to_line, gap.lines, gap.reason) == (100, to_line, lines, LOST)
    assert (gap.from_mm, gap.to_mm) == (50.0, to_line / 2)
    assert (arrival.frames_lost, arrival.follows_on) == (frames_lost, False)


def test_a_gap_within_a_coil_is_the_coils_and_one_between_two_is_nobodys() -> None:
    within = arrive(started(coil="C1"), header(2, coil="C1")).gap
    between = arrive(started(coil="C1"), header(2, coil="C2")).gap
    assert within is not None
    assert between is not None
    assert (within.coil, between.coil) == ("C1", None)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (header(2, t_ns=1), RejectReason.DUPLICATE),
        (header(0, t_ns=1), RejectReason.DUPLICATE),
        (header(2, t_ns=1, first_line=900), RejectReason.SEQUENCE),
        (header(3, t_ns=1, first_line=200), RejectReason.SEQUENCE),
    ],
    ids=["repeated", "late", "number repeated", "rows repeated"],
)
def test_what_is_booked_already_is_refused(frame: FrameHeader, reason: RejectReason) -> None:
    assert refusal_of(started(seq=2), frame) is reason


def test_rows_that_overlap_are_known_and_the_strip_goes_on() -> None:
    book = started()
    arrival = arrive(book, header(1, first_line=70))
    assert (arrival.repeated_lines, arrival.gap, arrival.follows_on) == (30, None, True)


def test_what_was_missed_is_not_followed_on() -> None:
    book = started()
    miss(book, header(1))
    assert not arrive(book, header(2)).follows_on


def test_a_new_stream_begins_from_row_zero() -> None:
    book = started(seq=9)
    arrival = arrive(book, header(2, stream="second", t_ns=99 * SECOND_NS))
    assert arrival.gap is not None
    assert (arrival.gap.stream, arrival.gap.from_line, arrival.gap.to_line) == ("second", 0, 200)
    assert arrival.gap.reason is NotInspectedReason.CAMERA_RESTART
    assert (arrival.starts_anew, arrival.follows_on, arrival.frames_lost) == (True, False, 2)


def test_a_new_stream_from_its_first_row_on_has_no_gap_but_starts_anew() -> None:
    arrival = arrive(started(seq=9), header(0, stream="second", t_ns=99 * SECOND_NS))
    assert (arrival.gap, arrival.starts_anew) == (None, True)


def test_a_camera_that_counts_from_zero_again_is_not_blind_for_ever() -> None:
    arrival = arrive(started(seq=900), header(0, t_ns=1000 * SECOND_NS))
    assert (arrival.gap, arrival.starts_anew) == (None, True)


def restarted_camera() -> CoverageBook:
    """Books of a camera that was started anew after six frames."""
    book = started(seq=5)
    arrive(book, header(0, stream="second", t_ns=99 * SECOND_NS))
    book.book_inspected(undecided_from=None)
    return book


def test_rows_of_a_late_frame_from_before_a_camera_restart_are_given_out_once() -> None:
    book = restarted_camera()
    late = take_late(book, header(7))
    assert late is not None
    assert (late.stream, late.from_line, late.to_line, late.lines) == ("first", 600, 800, 200)
    assert late.reason is LOST
    with pytest.raises(FrameError, match="again"):
        take_late(book, header(7))
    with pytest.raises(FrameError, match="again"):
        take_late(restarted(book), header(5))
    assert inspect(book, header(1, stream="second", t_ns=100 * SECOND_NS)) == []


def test_a_frame_of_the_stream_that_runs_is_not_late() -> None:
    book = restarted_camera()
    assert take_late(book, header(1, stream="second", t_ns=100 * SECOND_NS)) is None
    assert take_late(book, header(0, stream="third", t_ns=100 * SECOND_NS)) is None
    assert take_late(CoverageBook(), header(0)) is None


def test_a_former_stream_that_goes_on_is_followed_from_where_it_was() -> None:
    book = restarted_camera()
    arrival = arrive(book, header(7))
    assert arrival.gap is not None
    assert (arrival.gap.from_line, arrival.gap.to_line) == (600, 700)
    assert (arrival.starts_anew, arrival.resumes, arrival.frames_lost) == (True, True, 1)
    assert refusal_of(book, header(7)) is RejectReason.DUPLICATE
    assert take_late(book, header(1, stream="second")) is not None


def test_a_frame_refused_for_its_rows_is_not_missed_afterwards() -> None:
    book = started()
    assert refusal_of(book, header(1, first_line=0)) is RejectReason.SEQUENCE
    arrival = arrive(book, header(2, first_line=100))
    assert (arrival.gap, arrival.frames_lost) == (None, 0)


def test_a_clock_that_was_set_back_makes_no_duplicate_new() -> None:
    book = started(seq=2, t_ns=50 * SECOND_NS)
    inspect(book, header(3, t_ns=7 * SECOND_NS))
    assert refusal_of(book, header(2, t_ns=50 * SECOND_NS)) is RejectReason.DUPLICATE


def test_totals_count_rows_of_all_streams() -> None:
    book = started()
    book.count(inspected=100)
    arrive(book, header(0, stream="second", t_ns=99 * SECOND_NS))
    book.count(inspected=-30, not_inspected=30)
    state = restarted(book).state
    assert state is not None
    assert (state.lines_inspected, state.lines_not_inspected) == (70, 30)


def test_a_camera_that_goes_back_to_its_old_stream_is_not_blind_for_ever() -> None:
    book = started()
    arrive(book, header(0, stream="second", t_ns=99 * SECOND_NS))
    book.book_inspected(undecided_from=None)
    assert arrive(book, header(0, t_ns=100 * SECOND_NS)).starts_anew


def test_an_encoder_sees_what_a_restarted_camera_has_missed() -> None:
    book = started(encoder_mm=1000.0)
    frame = header(0, stream="second", t_ns=99 * SECOND_NS, encoder_mm=1300.0)
    gap = arrive(book, frame).gap
    assert gap is not None
    assert (gap.lines, gap.from_mm, gap.to_mm) == (0, 1050.0, 1300.0)


def test_a_stretch_is_told_when_it_is_over() -> None:
    book = started()
    assert miss(book, header(1)) == []
    assert miss(book, header(2, t_ns=2 * SECOND_NS)) == []
    (told,) = inspect(book, header(3))
    assert (told.from_line, told.to_line, told.lines) == (100, 300, 200)
    assert (told.from_mm, told.to_mm) == (50.0, 150.0)
    assert inspect(book, header(4)) == []


def test_a_long_stretch_is_told_piece_by_piece() -> None:
    book = started()
    told = [stretch for seq in range(1, 8) for stretch in miss(book, header(seq))]
    told += book.close()
    assert [(t.from_line, t.to_line) for t in told] == [
        (100, 300),
        (300, 500),
        (500, 700),
        (700, 800),
    ]


def test_stretches_of_two_reasons_are_two() -> None:
    book = started()
    miss(book, header(1), NotInspectedReason.DECODE_ERROR)
    (told,) = miss(book, header(2, t_ns=2 * SECOND_NS), STALE)
    assert (told.reason, told.from_line, told.to_line) == ("decode_error", 100, 200)
    (rest,) = book.close()
    assert (rest.reason, rest.from_line, rest.to_line) == ("stale", 200, 300)


def test_a_stretch_is_told_once_it_has_been_quiet() -> None:
    book = started()
    miss(book, header(1, t_ns=2 * SECOND_NS))
    assert book.close(now_ns=3 * SECOND_NS - 1, quiet_for_ns=SECOND_NS) == []
    assert len(book.close(now_ns=3 * SECOND_NS, quiet_for_ns=SECOND_NS)) == 1
    assert book.close() == []


def test_a_clock_that_was_set_back_does_not_hold_a_stretch_back() -> None:
    book = started()
    miss(book, header(1, t_ns=2 * SECOND_NS))
    assert len(book.close(now_ns=SECOND_NS, quiet_for_ns=SECOND_NS)) == 1


def test_rows_of_a_stretch_that_grows_are_not_settled() -> None:
    book = started()
    miss(book, header(1))
    assert book.state is not None
    assert (book.state.settled_line, book.state.next_line) == (100, 200)
    assert not book.state.last_was_inspected
    book.close()
    assert book.state.settled_line == 200


def test_rows_of_a_defect_that_has_not_ended_are_not_settled() -> None:
    book = started()
    arrive(book, header(1))
    book.book_inspected(undecided_from=130)
    assert book.state is not None
    assert (book.state.settled_line, book.state.last_was_inspected) == (130, True)
    book.settle()
    assert book.state.settled_line == 200


def test_after_a_restart_what_was_not_settled_is_given_out_once() -> None:
    book = started(coil="C1")
    arrive(book, header(1, coil="C1"))
    book.book_inspected(undecided_from=130)
    book = restarted(book)
    unsettled = book.take_unsettled(SCALE, now_ns=5)
    assert unsettled == Stretch(
        stream="first",
        coil="C1",
        reason=NotInspectedReason.DAEMON_RESTART,
        from_line=130,
        to_line=200,
        lines=70,
        from_mm=65.0,
        to_mm=100.0,
        since_ns=5,
    )
    assert book.take_unsettled(SCALE, now_ns=6) is None


def test_without_a_restart_nothing_is_taken_back() -> None:
    book = started()
    arrive(book, header(1))
    book.book_inspected(undecided_from=130)
    assert book.take_unsettled(SCALE, now_ns=5) is None
    assert CoverageBook().take_unsettled(SCALE, now_ns=5) is None


@pytest.mark.parametrize("stream", ["first", "second"])
def test_the_first_gap_after_a_restart_is_the_daemons_and_the_next_is_not(stream: str) -> None:
    book = restarted(started())
    first = arrive(book, header(3, stream=stream)).gap
    book.book_inspected(undecided_from=None)
    second = arrive(book, header(6, stream=stream)).gap
    assert first is not None
    assert second is not None
    assert (first.reason, second.reason) == (NotInspectedReason.DAEMON_RESTART, LOST)


def test_a_duplicate_after_a_restart_does_not_hide_the_gap() -> None:
    book = restarted(started())
    assert refusal_of(book, header(0)) is RejectReason.DUPLICATE
    gap = arrive(book, header(3)).gap
    assert gap is not None
    assert gap.reason is NotInspectedReason.DAEMON_RESTART


def test_a_stream_that_begins_again_under_its_name_is_noted() -> None:
    book = started()
    anew = arrive(book, header(0, t_ns=99 * SECOND_NS))
    assert (anew.starts_anew, anew.resumes) == (True, True)
    named = arrive(book, header(0, stream="second", t_ns=100 * SECOND_NS))
    assert (named.starts_anew, named.resumes) == (True, False)


def counted(book: CoverageBook, seq: int, height: int, **fields: Any) -> FrameHeader:  # noqa: ANN401 - as above
    return book.count_rows(header(seq, height=height, **fields))


@given(heights=st.lists(st.integers(1, 300), min_size=1, max_size=20))
def test_frames_of_any_heights_follow_on_each_other_without_a_row_counter(
    heights: list[int],
) -> None:
    book = CoverageBook()
    for seq, height in enumerate(heights):
        assert inspect(book, counted(book, seq, height)) == []
    assert book.state is not None
    assert book.state.next_line == sum(heights)


def test_frames_that_are_missing_are_taken_to_be_as_high_as_the_next() -> None:
    book = started()
    arrival = arrive(book, counted(book, 3, 20))
    assert arrival.gap is not None
    assert (arrival.gap.from_line, arrival.gap.to_line, arrival.gap.lines) == (100, 140, 40)
    assert inspect(book, counted(book, 4, 7)) == []
    assert refusal_of(book, counted(book, 3, 20)) is RejectReason.DUPLICATE
    assert refusal_of(book, counted(book, 4, 7)) is RejectReason.DUPLICATE


def test_a_late_frame_without_a_row_counter_lies_behind_its_stream() -> None:
    book = started()
    arrive(book, header(0, stream="second", t_ns=99 * SECOND_NS))
    late = take_late(book, counted(book, 1, 30))
    assert late is not None
    assert (late.from_line, late.to_line) == (100, 130)


def test_rows_that_a_camera_counts_itself_are_believed() -> None:
    book = started()
    assert counted(book, 1, 20, first_line=50).top_line == 50
    anew = counted(book, 0, 20, t_ns=99 * SECOND_NS)
    assert (anew.first_line, anew.top_line) == (None, 0)
