"""Which rows of the strip were looked at: the books of one camera.

Every row that a camera announces is booked once, as inspected or as not inspected with a reason.
What never arrived shows as a jump of the row counter (or of the frame number) and is booked just
the same:

    rows announced = rows inspected + rows not inspected

A stretch that was not inspected grows frame by frame and is told when it ends, or after a while, so
that a camera that fails for an hour makes a few messages and not one per frame.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from edge_daemon.core.messages import NotInspectedReason
from edge_daemon.core.placement import Place, Scale
from edge_daemon.core.stretches import Stretch
from edge_daemon.core.wire import MAX_SIDE_PX, FrameHeader
from edge_daemon.errors import FrameError, RejectReason

STRETCH_TOLD_AFTER_NS = 1_000_000_000


class CoverageState(BaseModel):
    """What has to survive a crash.

    Attributes:
        stream: of the camera's last frame.
        previous_stream: the one before, whose last frames may still be on their way.
        next_line: row counter just past the last row booked.
        next_seq: number that the next frame should have.
        next_mm: position just past the last row booked, where known.
        settled_line: rows before it are decided and told; the rest is booked anew after a crash.
        last_was_inspected: how the last frame was booked, and all that isn't settled: inspected
            with a defect that has not ended, or not inspected in a stretch that still grows.
        t_ns: exposure of the last frame.
        coil: of the last frame.
    """

    model_config = ConfigDict(frozen=True)

    stream: str
    previous_stream: str | None
    next_line: int
    next_seq: int
    next_mm: float | None
    settled_line: int
    last_was_inspected: bool
    t_ns: int
    coil: str | None


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
    """

    gap: Stretch | None
    frames_lost: int
    repeated_lines: int
    follows_on: bool
    starts_anew: bool


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

    def arrive(self, header: FrameHeader, place: Place, *, now_ns: int) -> Arrival:
        """Hold a frame's numbers against the books and move on to its end.

        Raises:
            FrameError: rows that are already booked: a duplicate, or out of order; or a frame that
                was overtaken by the first one of a new stream.
        """
        before = self._state
        previous_stream = None if before is None else before.previous_stream
        if before is None or _starts_anew(before, header):
            _refuse_overtaken(before, header)
            arrival = self._start_stream(header, place, now_ns=now_ns)
            previous_stream = None if before is None else before.stream
        else:
            arrival = self._continue_stream(before, header, place, now_ns=now_ns)
        self._restarted = False
        self._state = CoverageState(
            stream=header.stream,
            previous_stream=previous_stream,
            next_line=place.end_line,
            next_seq=header.seq + 1,
            next_mm=place.end_mm,
            settled_line=place.top_line,
            last_was_inspected=False,
            t_ns=header.t_ns,
            coil=header.coil,
        )
        return arrival

    def _start_stream(self, header: FrameHeader, place: Place, *, now_ns: int) -> Arrival:
        """A camera that is new, or was started anew: rows before its first frame are a gap."""
        before = self._state
        reason = NotInspectedReason.LOST
        if before is not None:
            reason = NotInspectedReason.CAMERA_RESTART
        if self._restarted:
            reason = NotInspectedReason.DAEMON_RESTART
        from_mm = place.position_mm
        before_mm = None if before is None or header.encoder_mm is None else before.next_mm
        if from_mm is not None and before_mm is not None:
            from_mm = min(before_mm, from_mm)
        unseen_mm = from_mm is not None and from_mm != place.position_mm
        gap = None
        if place.top_line > 0 or unseen_mm:
            gap = Stretch(
                stream=header.stream,
                coil=None,
                reason=reason,
                from_line=0,
                to_line=place.top_line,
                lines=place.top_line,
                from_mm=from_mm if unseen_mm else place.row_mm(-place.top_line),
                to_mm=place.position_mm,
                since_ns=now_ns,
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
            reason = RejectReason.DUPLICATE
            if header.seq >= before.next_seq or place.end_line > before.next_line:
                reason = RejectReason.SEQUENCE
            raise FrameError(
                reason,
                f"frame {header.seq} at row {place.top_line} of stream {header.stream}: rows up to "
                f"{before.next_line} and frames up to {before.next_seq - 1} are already booked",
            )
        frames_lost = header.seq - before.next_seq
        rows_missing = max(place.top_line - before.next_line, 0)
        # Frames are missing and the row counter goes on without a jump: it counts rows that were
        # sent, so only the frames' numbers tell. Where frames overlap, the counter alone does.
        is_uncounted = place.top_line == before.next_line
        lines = frames_lost * place.height_px if is_uncounted else rows_missing
        gap = None
        if lines > 0:
            lost = NotInspectedReason.LOST
            gap = Stretch(
                stream=header.stream,
                coil=header.coil if header.coil == before.coil else None,
                reason=NotInspectedReason.DAEMON_RESTART if self._restarted else lost,
                from_line=before.next_line,
                to_line=before.next_line + rows_missing,
                lines=lines,
                from_mm=before.next_mm,
                to_mm=place.position_mm,
                since_ns=now_ns,
            )
        return Arrival(
            gap,
            frames_lost=frames_lost,
            repeated_lines=max(before.next_line - place.top_line, 0),
            follows_on=gap is None and before.last_was_inspected,
            starts_anew=False,
        )

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


def _starts_anew(before: CoverageState, header: FrameHeader) -> bool:
    """A new stream, or one whose numbers go back while its clock goes on.

    The second breaks the contract, but to refuse such a camera's frames as duplicates would leave
    it blind for as long as it had run before. A row counter may go back by less than the tallest
    frame without that: these are rows sent again.
    """
    end_line = header.top_line + header.height
    counts_back = header.seq < before.next_seq or end_line <= before.next_line - MAX_SIDE_PX
    return header.stream != before.stream or (counts_back and header.t_ns > before.t_ns)


def _refuse_overtaken(before: CoverageState | None, header: FrameHeader) -> None:
    """Refuse the last frames of a camera's former start: to follow them would book twice.

    Raises:
        FrameError: the frame is one of them.
    """
    if before is None or header.stream != before.previous_stream or header.t_ns > before.t_ns:
        return
    raise FrameError(
        RejectReason.SEQUENCE,
        f"frame {header.seq} of stream {header.stream} comes after the camera was started anew",
    )
