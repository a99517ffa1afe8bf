"""Which rows of the strip were looked at: the books of one camera.

Every row that a camera announces is booked once, as inspected or as not inspected with a reason.
What never arrived shows as a jump of the row counter (or of the frame number) and is booked just
the same:

    rows announced = rows inspected + rows not inspected

A stretch that was not inspected grows frame by frame and is told when it ends, or after a while, so
that a camera that fails for an hour makes a few messages and not one per frame.
"""

from dataclasses import dataclass, replace

from edge_daemon.core.coverage_state import (
    CoverageState,
    StreamEnd,
    counts_anew,
    follow_on,
    move_on,
    starts_anew,
)
from edge_daemon.core.gaps import gap_before_stream, gap_in_stream, rows_beyond
from edge_daemon.core.placement import Place, Scale
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.stretches import Stretch
from edge_daemon.core.wire import FrameHeader
from edge_daemon.errors import FrameError, RejectReason

__all__ = ["Arrival", "CoverageBook", "CoverageState"]

STRETCH_TOLD_AFTER_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a frame follows on what came before.

    Attributes:
        gap: rows between the last frame and this one that nobody saw, None where it follows on.
        frames_lost: frames that the numbers say are missing.
        repeated_lines: first rows of this frame that are booked already.
        follows_on: the strip goes on from the last row that was inspected.
        starts_anew: the camera was started anew since its last frame; no counter tells what it
            missed meanwhile.
        resumes: the stream had ended with a later start of the camera, and goes on after all; or
            it begins again under its own name. Two cameras with one id do that all the time.
    """

    gap: Stretch | None
    frames_lost: int
    repeated_lines: int
    follows_on: bool
    starts_anew: bool
    resumes: bool = False


class CoverageBook:
    """The books of one camera."""

    def __init__(self, saved: CoverageState | None = None) -> None:
        self._state = saved
        self._restarted = saved is not None
        self._stretch: Stretch | None = None

    @property
    def state(self) -> CoverageState | None:
        """What to keep, None before the first frame."""
        return self._state

    def count_rows(self, header: FrameHeader) -> FrameHeader:
        """Give a frame a row counter whose camera keeps none.

        Its rows follow on those that are booked, behind those of frames that are missing, which are
        taken to be as high. With frames of one height that is `seq * height`; with others that
        would put rows onto each other.
        """
        end = self._end(header.stream)
        if header.first_line is not None or end is None or counts_anew(end, header):
            return header
        frames = header.seq - end.next_seq
        first_line = end.next_line + frames * header.height
        return header.model_copy(update={"first_line": max(first_line, 0)})

    def arrive(self, header: FrameHeader, place: Place, *, now_ns: int) -> Arrival:
        """Hold a frame's numbers against the books and move on to its end.

        Raises:
            FrameError: rows that are already booked: a duplicate, or out of order.
        """
        before, resumed = self._state, self._resumed(header)
        if resumed is not None:
            arrival = self._continue_stream(resumed, header, place, now_ns=now_ns)
            arrival = replace(arrival, starts_anew=True, resumes=True)
        elif before is None or starts_anew(before, header):
            arrival = self._start_stream(header, place, now_ns=now_ns)
            if before is not None and header.stream == before.stream:
                arrival = replace(arrival, resumes=True)
        else:
            arrival = self._continue_stream(before, header, place, now_ns=now_ns)
        self._restarted = False
        self._state = follow_on(before, header, place)
        return arrival

    def take_late(self, header: FrameHeader, place: Place, *, now_ns: int) -> Stretch | None:
        """Rows that a frame of a former start has and nobody has booked, to be booked at once.

        It was overtaken by the first frame of a new stream. To look at it would be to follow two
        streams at a time; its rows are booked as not inspected, so that none is forgotten.

        Raises:
            FrameError: all its rows are booked already.
        """
        state, end = self._state, self._former(header.stream)
        if state is None or end is None or counts_anew(end, header):
            return None
        self._note_number(header)
        if place.end_line <= end.next_line:
            raise FrameError(
                RejectReason.SEQUENCE,
                f"frame {header.seq} of stream {header.stream} comes again after the camera was "
                "started anew",
            )
        self._state = state.model_copy(update={"former": move_on(state.former, header)})
        return rows_beyond(end.next_line, header, place, now_ns=now_ns)

    def take_new_rows(self, header: FrameHeader, place: Place, *, now_ns: int) -> Stretch | None:
        """Rows beyond the books in a frame whose number is on them, to be booked at once.

        Its number says that it comes again, its rows that it doesn't. Only one that was sent before
        a crash, and whose rows were sent again in part since, is like that.
        """
        state = self._state
        if state is None or starts_anew(state, header):
            return None
        if header.seq >= state.next_seq or place.end_line <= state.next_line:
            return None
        moved_on = {"next_line": place.end_line, "next_mm": place.end_mm}
        self._state = state.model_copy(update={**moved_on, "last_was_inspected": False})
        return rows_beyond(state.next_line, header, place, now_ns=now_ns)

    def count(self, *, inspected: int = 0, not_inspected: int = 0) -> None:
        """Add rows to the totals; negative numbers take them back."""
        if self._state is None:
            return
        inspected += self._state.lines_inspected
        not_inspected += self._state.lines_not_inspected
        self._state = self._state.model_copy(
            update={"lines_inspected": inspected, "lines_not_inspected": not_inspected}
        )

    def _end(self, stream: str) -> StreamEnd | None:
        if self._state is not None and self._state.stream == stream:
            return self._state.end
        return self._former(stream)

    def _former(self, stream: str) -> StreamEnd | None:
        known = () if self._state is None else self._state.former
        return next((end for end in known if end.stream == stream), None)

    def _resumed(self, header: FrameHeader) -> CoverageState | None:
        """The books as they stood at the end of a former stream that goes on after all."""
        state, end = self._state, self._former(header.stream)
        if state is None or end is None or counts_anew(end, header):
            return None
        gone_on = {"last_was_inspected": False, "next_mm": None, "coil": None}
        return state.model_copy(update=end.model_dump() | gone_on)

    def _start_stream(self, header: FrameHeader, place: Place, *, now_ns: int) -> Arrival:
        """A camera that is new, or was started anew: rows before its first frame are a gap."""
        before = self._state
        reason = NotInspectedReason.LOST
        if before is not None:
            reason = NotInspectedReason.CAMERA_RESTART
        if self._restarted:
            reason = NotInspectedReason.DAEMON_RESTART
        before_mm = None if before is None or header.encoder_mm is None else before.next_mm
        gap = gap_before_stream(
            header.stream, place, since_mm=before_mm, reason=reason, now_ns=now_ns
        )
        return Arrival(
            gap,
            frames_lost=header.seq,
            repeated_lines=0,
            follows_on=False,
            starts_anew=before is not None,
        )

    def _continue_stream(
        self, before: CoverageState, header: FrameHeader, place: Place, *, now_ns: int
    ) -> Arrival:
        if header.seq < before.next_seq or place.end_line <= before.next_line:
            refusal = RejectReason.DUPLICATE
            if header.seq >= before.next_seq or place.end_line > before.next_line:
                refusal = RejectReason.SEQUENCE
            self._note_number(header)
            raise FrameError(
                refusal,
                f"frame {header.seq} at row {place.top_line} of stream {header.stream}: rows up to "
                f"{before.next_line} and frames up to {before.next_seq - 1} are already booked",
            )
        reason = NotInspectedReason.LOST
        if self._restarted:
            reason = NotInspectedReason.DAEMON_RESTART
        gap = gap_in_stream(before, header, place, reason=reason, now_ns=now_ns)
        return Arrival(
            gap,
            frames_lost=header.seq - before.next_seq,
            repeated_lines=max(before.next_line - place.top_line, 0),
            follows_on=gap is None and before.last_was_inspected,
            starts_anew=False,
        )

    def _note_number(self, header: FrameHeader) -> None:
        """A frame that came and was refused is not missing when the next one comes."""
        state, end = self._state, self._former(header.stream)
        if state is None:
            return
        if state.stream == header.stream and header.seq >= state.next_seq:
            latest_ns = max(state.t_ns, header.t_ns)
            self._state = state.model_copy(update={"next_seq": header.seq + 1, "t_ns": latest_ns})
        elif end is not None and header.seq >= end.next_seq:
            moved_on = move_on(state.former, header)
            self._state = state.model_copy(update={"former": moved_on})

    def take_unsettled(self, scale: Scale | None, *, now_ns: int) -> Stretch | None:
        """Rows that were booked before a restart, but not told: to be booked anew, once."""
        before = self._state
        if before is None or not self._restarted or before.settled_line == before.next_line:
            return None
        self._settle(None)
        lines = before.next_line - before.settled_line
        return Stretch(
            stream=before.stream,
            coil=before.coil,
            reason=NotInspectedReason.DAEMON_RESTART,
            from_line=before.settled_line,
            to_line=before.next_line,
            lines=lines,
            from_mm=Place(before.next_line, 0, before.next_mm, scale).row_mm(-lines),
            to_mm=before.next_mm,
            since_ns=now_ns,
        )

    def book_inspected(self, *, undecided_from: int | None) -> list[Stretch]:
        """Book the last frame as inspected.

        Args:
            undecided_from: first row of a defect that has not ended yet and nobody was told of.

        Returns:
            What was not inspected until here and has now to be told.
        """
        told = self.close()
        self._settle(undecided_from, last_was_inspected=True)
        return told

    def book_not_inspected(self, stretch: Stretch) -> list[Stretch]:
        """Book rows as not inspected; the stretch that they join is told once it is over.

        Returns:
            Stretches that are complete now.
        """
        held = self._stretch
        if held is None or not held.goes_on_in(stretch):
            self._hold(stretch)
            return [] if held is None else [held]
        self._hold(held.joined(stretch))
        # A wall clock that was set back must not hold a stretch back for as long.
        if 0 <= stretch.since_ns - held.since_ns < STRETCH_TOLD_AFTER_NS:
            return []
        return self.close()

    def settle(self) -> None:
        """Note that all that was booked has been told as far as it has to be."""
        self._settle(None)

    def close(self, *, now_ns: int = 0, quiet_for_ns: int = 0) -> list[Stretch]:
        """Give out the stretch that is still growing, if there is one and it is that old."""
        held = self._stretch
        if held is None or 0 <= now_ns - held.since_ns < quiet_for_ns:
            return []
        self._stretch = None
        self._settle(None)
        return [held]

    def _hold(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._settle(stretch.from_line)

    def _settle(self, undecided_from: int | None, *, last_was_inspected: bool = False) -> None:
        if self._state is None:
            return
        settled = self._state.next_line if undecided_from is None else undecided_from
        self._state = self._state.model_copy(
            update={"settled_line": settled, "last_was_inspected": last_was_inspected}
        )
