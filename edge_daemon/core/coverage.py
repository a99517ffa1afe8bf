"""Which rows of the strip were looked at: the books of one camera.

Every row that a camera announces is booked once, as inspected or as not inspected with a reason.
What never arrived shows as a jump of the row counter (or of the frame number) and is booked just
the same:

    rows announced = rows inspected + rows not inspected

A stretch that was not inspected grows frame by frame and is told when it ends, or after a while, so
that a camera that fails for an hour makes a few messages and not one per frame.
"""

from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from edge_daemon.core.messages import NotInspectedReason
from edge_daemon.core.placement import Place
from edge_daemon.core.wire import FrameHeader
from edge_daemon.errors import FrameError, RejectReason

STRETCH_TOLD_AFTER_NS = 1_000_000_000


class CoverageState(BaseModel):
    """What has to survive a crash.

    Attributes:
        stream: of the camera's last frame.
        next_line: row counter just past the last row booked.
        next_seq: number that the next frame should have.
        next_mm: position just past the last row booked, where known.
        settled_line: rows before it are decided and told; the rest is booked anew after a crash.
        t_ns: exposure of the last frame.
        coil: of the last frame.
    """

    model_config = ConfigDict(frozen=True)

    stream: str
    next_line: int
    next_seq: int
    next_mm: float | None
    settled_line: int
    t_ns: int
    coil: str | None


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows that were not inspected.

    Attributes:
        stream: the camera's stream.
        coil: id of the coil, where known.
        reason: why.
        from_line: row counter of the first row.
        to_line: row counter just past the last one.
        lines: how many rows; more than to_line - from_line where only the frame numbers jumped.
        from_mm: where it begins along the strip, where known.
        to_mm: where it ends.
        since_ns: when it began, by the clock that booked it.
    """

    stream: str
    coil: str | None
    reason: NotInspectedReason
    from_line: int
    to_line: int
    lines: int
    from_mm: float | None
    to_mm: float | None
    since_ns: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """How a frame follows on what came before.

    Attributes:
        gap: rows between the last frame and this one that nobody saw, None where it follows on.
        frames_lost: frames that the numbers say are missing.
        fresh_lines: rows of this frame that were not booked before.
        follows_on: the strip goes on from the last row that was inspected.
    """

    gap: Stretch | None
    frames_lost: int
    fresh_lines: int
    follows_on: bool


class CoverageBook:
    """The books of one camera."""

    def __init__(self, saved: CoverageState | None = None) -> None:
        self._state = saved
        self._restarted = saved is not None
        self._stretch: Stretch | None = None
        self._last_was_inspected = False

    @property
    def state(self) -> CoverageState | None:
        """What to keep, None before the first frame."""
        return self._state

    def arrive(self, header: FrameHeader, place: Place, *, now_ns: int) -> Arrival:
        """Hold a frame's numbers against the books and move on to its end.

        Raises:
            FrameError: rows that are already booked: a duplicate, or out of order.
        """
        before = self._state
        if before is None or _starts_anew(before, header):
            arrival = self._start_stream(header, place, now_ns=now_ns)
        else:
            arrival = self._continue_stream(before, header, place, now_ns=now_ns)
        self._restarted = False
        self._state = CoverageState(
            stream=header.stream,
            next_line=place.end_line,
            next_seq=header.seq + 1,
            next_mm=place.end_mm,
            settled_line=place.top_line,
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
        if before is not None and header.encoder_mm is not None and before.next_mm is not None:
            from_mm = min(before.next_mm, header.encoder_mm)
        unseen_mm = from_mm is not None and from_mm != place.position_mm
        gap = None
        if place.top_line > 0 or unseen_mm:
            gap = Stretch(
                stream=header.stream,
                coil=header.coil,
                reason=reason,
                from_line=0,
                to_line=place.top_line,
                lines=place.top_line,
                from_mm=from_mm if unseen_mm else _back(place, place.top_line),
                to_mm=place.position_mm,
                since_ns=now_ns,
            )
        return Arrival(gap, frames_lost=header.seq, fresh_lines=place.height_px, follows_on=False)

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
        booked = before.settled_line if self._restarted else before.next_line
        frames_lost = header.seq - before.next_seq
        rows_missing = max(place.top_line - booked, 0)
        lines = max(rows_missing, frames_lost * place.height_px)
        gap = None
        if lines > 0:
            lost = NotInspectedReason.LOST
            gap = Stretch(
                stream=header.stream,
                coil=header.coil if header.coil == before.coil else None,
                reason=NotInspectedReason.DAEMON_RESTART if self._restarted else lost,
                from_line=booked,
                to_line=max(place.top_line, booked),
                lines=lines,
                from_mm=before.next_mm
                if booked == before.next_line
                else _back(place, place.top_line - booked),
                to_mm=place.position_mm,
                since_ns=now_ns,
            )
        overlap = max(before.next_line - place.top_line, 0)
        return Arrival(
            gap,
            frames_lost=frames_lost,
            fresh_lines=place.height_px - overlap,
            follows_on=gap is None and overlap == 0 and self._last_was_inspected,
        )

    def book_inspected(self, *, undecided_from: int | None) -> list[Stretch]:
        """Book the last frame as inspected.

        Args:
            undecided_from: first row of a defect that has not ended yet and nobody was told of.

        Returns:
            What was not inspected until here and has now to be told.
        """
        self._last_was_inspected = True
        told = self.close()
        self._settle(undecided_from)
        return told

    def book_not_inspected(self, stretch: Stretch) -> list[Stretch]:
        """Book rows as not inspected; the stretch that they join is told once it is over.

        Returns:
            Stretches that are complete now.
        """
        self._last_was_inspected = False
        held = self._stretch
        if held is None or not _joins(held, stretch):
            self._hold(stretch)
            return [] if held is None else [held]
        self._hold(
            replace(
                held, to_line=stretch.to_line, lines=held.lines + stretch.lines, to_mm=stretch.to_mm
            )
        )
        if stretch.since_ns - held.since_ns < STRETCH_TOLD_AFTER_NS:
            return []
        return self.close()

    def close(self, *, older_than_ns: int | None = None) -> list[Stretch]:
        """Give out the stretch that is still growing, if there is one (and it is that old)."""
        held = self._stretch
        if held is None or (older_than_ns is not None and held.since_ns > older_than_ns):
            return []
        self._stretch = None
        self._settle(None)
        return [held]

    def _hold(self, stretch: Stretch) -> None:
        self._stretch = stretch
        self._settle(stretch.from_line)

    def _settle(self, undecided_from: int | None) -> None:
        if self._state is None:
            return
        settled = self._state.next_line if undecided_from is None else undecided_from
        self._state = self._state.model_copy(update={"settled_line": settled})


def _starts_anew(before: CoverageState, header: FrameHeader) -> bool:
    """A new stream, or one that counts from the beginning again while its clock goes on.

    The second breaks the contract, but to refuse such a camera's frames as duplicates would leave
    it blind for as long as it had run before.
    """
    counts_back = header.seq < before.next_seq and header.t_ns > before.t_ns
    return header.stream != before.stream or counts_back


def _back(place: Place, lines: int) -> float | None:
    """Position so many rows before a frame."""
    return place.row_mm(-lines)


def _joins(held: Stretch, stretch: Stretch) -> bool:
    return (held.stream, held.coil, held.reason, held.to_line) == (
        stretch.stream,
        stretch.coil,
        stretch.reason,
        stretch.from_line,
    )
