"""What one camera has seen of the strip: its books, its open defects, and the news of both."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from edge_daemon.core.coils import CoilBook
from edge_daemon.core.coverage import CoverageBook, CoverageState
from edge_daemon.core.defects import DefectClass, Region
from edge_daemon.core.messages import (
    CoverageEvent,
    DurableBody,
    NotInspectedReason,
)
from edge_daemon.core.placement import Scale, place_frame
from edge_daemon.core.records import FrameDefect
from edge_daemon.core.stretches import Stretch
from edge_daemon.core.telling import defect_event, frame_defect, is_long
from edge_daemon.core.tracking import REACH_PX, DefectTracker, Origin, TrackedDefect
from edge_daemon.core.wire import FrameHeader


@dataclass(slots=True)
class News:
    """What one frame changed.

    Attributes:
        bodies: facts to tell, in order.
        frames_lost: frames that the numbers say are missing.
        lines_inspected: rows booked as inspected.
        lines_not_inspected: rows booked as not inspected, by reason.
        defects: classes of the defects that ended.
    """

    bodies: list[DurableBody] = field(default_factory=list)
    frames_lost: int = 0
    lines_inspected: int = 0
    lines_not_inspected: Counter[NotInspectedReason] = field(default_factory=Counter)
    defects: list[DefectClass] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Passage:
    """A frame passing a camera.

    Attributes:
        position_mm: of its first row along the strip, where known.
        repeated_lines: rows at its top that the frame before has shown already; they aren't
            looked at again.
        origin: where the rest of it lies on the strip.
        now_ns: when it was received, ns since 1970 UTC.
    """

    position_mm: float | None
    repeated_lines: int
    origin: Origin
    now_ns: int


class CameraLine:
    """One camera's view of the strip; `arrive`, then `inspected` or `missed`, then `take_news`.

    Args:
        camera: its id.
        scale: millimetres per pixel, None where unknown.
        coils: the coils on the line, shared by all cameras.
        bundle: name and version of the bundle, for the messages.
        saved: the camera's books from before a restart.
    """

    def __init__(
        self,
        camera: str,
        scale: Scale | None,
        *,
        coils: CoilBook,
        bundle: str,
        saved: CoverageState | None = None,
    ) -> None:
        self._camera = camera
        self._scale = scale
        self._coils = coils
        self._bundle = bundle
        self._book = CoverageBook(saved)
        self._tracker = DefectTracker(REACH_PX)
        self._news = News()
        self._last_ns = 0
        self._unconfirmed: list[Stretch] = []

    @property
    def camera(self) -> str:
        """Its id."""
        return self._camera

    @property
    def state(self) -> CoverageState | None:
        """What has to be durable together with the news."""
        return self._book.state

    @property
    def last_ns(self) -> int:
        """When the last frame was received, ns since 1970 UTC; 0 before the first."""
        return self._last_ns

    @property
    def has_open_defects(self) -> bool:
        """Whether a defect may go on in the next frame."""
        return bool(self._tracker.open_defects)

    def take_news(self) -> News:
        """Hand over what happened since the last call."""
        news, self._news = self._news, News()
        return news

    def arrive(self, header: FrameHeader, *, now_ns: int) -> Passage:
        """Place a frame on the strip and book what is missing in front of it.

        Raises:
            FrameError: its rows are already booked.
        """
        self.rebook_unsettled(now_ns=now_ns)
        self._last_ns = now_ns
        before = self._book.state
        place = place_frame(header, self._scale)
        arrival = self._book.arrive(header, place, now_ns=now_ns)
        same_coil = before is not None and before.coil == header.coil
        if not (arrival.follows_on and same_coil):
            self._end_defects()
        self._news.frames_lost += arrival.frames_lost
        torn = arrival.starts_anew or (arrival.gap is not None and not same_coil)
        if torn and before is not None:  # first, for a coil that is done by this frame
            self._coils.tear(before.coil)
        self._news.bodies += self._coils.enter(
            self._camera, header.coil, t_ns=header.t_ns, position_mm=place.position_mm
        )
        if torn:
            self._coils.tear(header.coil)
        if arrival.gap is not None:
            self._book_missed(arrival.gap)
        fresh = place.from_row(arrival.repeated_lines)
        origin = Origin(self._camera, header.stream, header.coil, header.t_ns, fresh)
        return Passage(place.position_mm, arrival.repeated_lines, origin, now_ns)

    def inspected(
        self, regions: Sequence[Region], passage: Passage
    ) -> tuple[tuple[FrameDefect, Region], ...]:
        """Book a frame as inspected and follow its defects.

        Args:
            regions: of the rows that aren't repeated.
            passage: what `arrive` said of the frame.

        Returns:
            The frame's parts of defects, each with its region.
        """
        origin = passage.origin
        tracked = self._tracker.advance(regions, origin)
        self._tell_ended(tracked.ended)
        self._tell_long()
        self._news.lines_inspected += origin.place.height_px
        self._coils.book_lines(origin.coil, inspected=origin.place.height_px)
        self._coils.extend(origin.coil, origin.place.end_mm)
        self._doubt(passage)
        told = self._book.book_inspected(undecided_from=self._tracker.first_undecided_line)
        self._tell_missed(told)
        return tuple(
            (frame_defect(d, r, origin.place, rows_above=passage.repeated_lines), r)
            for d, r in tracked.parts
        )

    def missed(self, reason: NotInspectedReason, passage: Passage) -> None:
        """Book a frame as not inspected."""
        origin, place = passage.origin, passage.origin.place
        self._end_defects()
        self._coils.extend(origin.coil, place.end_mm)
        self._book_missed(
            Stretch(
                stream=origin.stream,
                coil=origin.coil,
                reason=reason,
                from_line=place.top_line,
                to_line=place.end_line,
                lines=place.height_px,
                from_mm=place.position_mm,
                to_mm=place.end_mm,
                since_ns=passage.now_ns,
            )
        )

    def confirm(self) -> None:
        """Note that the engine is right: what it has said so far may be believed."""
        self._unconfirmed.clear()

    def distrust(self) -> None:
        """Book all as not inspected that a faulty engine may have said since it was last right."""
        if not self._unconfirmed:
            return
        self._end_defects()
        self._tell_missed(self._book.close())
        self._book.settle()  # or a restart would tell of the last rows once more
        for stretch in self._unconfirmed:
            self._retract(stretch, were_inspected=True)
            self._news.lines_not_inspected[stretch.reason] += stretch.lines
            self._coils.book_lines(stretch.coil, not_inspected=stretch.lines)
        self._tell_missed(self._unconfirmed)
        self._unconfirmed.clear()

    def rebook_unsettled(self, *, now_ns: int) -> None:
        """After a restart, book what was neither told nor settled before it as not inspected."""
        state = self._book.state
        stretch = self._book.take_unsettled(self._scale, now_ns=now_ns)
        if state is not None and stretch is not None:
            self._retract(stretch, were_inspected=state.last_was_inspected)
            self._book_missed(stretch)
            self._tell_missed(self._book.close())  # now: the camera may never come back

    def tick(self, now_ns: int, *, quiet_for_ns: int) -> None:
        """Tell of what has been growing for so long without a frame to end it.

        The strip may have stopped on a defect, or broken: the plant hears of it now, as open.
        """
        self._tell_missed(self._book.close(now_ns=now_ns, quiet_for_ns=quiet_for_ns))
        if self._tracker.open_defects and not 0 <= now_ns - self._last_ns < quiet_for_ns:
            self._tell_long(standing=True)

    def close(self) -> None:
        """End what is open: no more frames will come, or nobody will look at them."""
        self._end_defects()
        self._tell_missed(self._book.close())
        self._book.settle()

    def _doubt(self, passage: Passage) -> None:
        """Remember rows that were inspected, until the engine has been found right."""
        origin, place = passage.origin, passage.origin.place
        stretch = Stretch(
            stream=origin.stream,
            coil=origin.coil,
            reason=NotInspectedReason.ENGINE_FAULT,
            from_line=place.top_line,
            to_line=place.end_line,
            lines=place.height_px,
            from_mm=place.position_mm,
            to_mm=place.end_mm,
            since_ns=passage.now_ns,
        )
        if self._unconfirmed and self._unconfirmed[-1].goes_on_in(stretch):
            self._unconfirmed[-1] = self._unconfirmed[-1].joined(stretch)
        else:
            self._unconfirmed.append(stretch)

    def _retract(self, stretch: Stretch, *, were_inspected: bool) -> None:
        """Take rows off their coil that were booked before a crash and are booked anew."""
        self._coils.retract_lines(
            self._camera,
            stretch.coil,
            inspected=stretch.lines if were_inspected else 0,
            not_inspected=0 if were_inspected else stretch.lines,
        )

    def _book_missed(self, stretch: Stretch) -> None:
        self._news.lines_not_inspected[stretch.reason] += stretch.lines
        self._coils.book_lines(stretch.coil, not_inspected=stretch.lines)
        self._tell_missed(self._book.book_not_inspected(stretch))

    def _tell_missed(self, stretches: Sequence[Stretch]) -> None:
        self._news.bodies += [
            CoverageEvent(
                camera=self._camera,
                stream=stretch.stream,
                coil=stretch.coil,
                reason=stretch.reason,
                from_line=stretch.from_line,
                to_line=stretch.to_line,
                lines=stretch.lines,
                from_mm=stretch.from_mm,
                to_mm=stretch.to_mm,
            )
            for stretch in stretches
        ]

    def _end_defects(self) -> None:
        self._tell_ended(self._tracker.end_all())

    def _tell_ended(self, defects: Sequence[TrackedDefect]) -> None:
        for defect in defects:
            self._news.bodies.append(defect_event(defect, is_open=False, bundle=self._bundle))
            self._news.defects.append(defect.defect_class)
            self._coils.book_defect(
                defect.origin.coil, defect.defect_class.name, severity=defect.defect_class.severity
            )

    def _tell_long(self, *, standing: bool = False) -> None:
        for defect in self._tracker.open_defects:
            if defect.announced or not defect.is_large_enough:
                continue
            if not (standing or is_long(defect)):
                continue
            announced = self._tracker.mark_announced(defect.id)
            self._news.bodies.append(defect_event(announced, is_open=True, bundle=self._bundle))
