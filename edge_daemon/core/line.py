"""What one camera has seen of the strip: its books, its open defects, and the news of both."""

from collections.abc import Sequence

from edge_daemon.core.coils import CoilBook
from edge_daemon.core.coverage import CoverageBook, CoverageState
from edge_daemon.core.defects import Region
from edge_daemon.core.messages import CoverageEvent
from edge_daemon.core.passage import News, Passage
from edge_daemon.core.picture_quality import (
    PictureDigest,
    PictureFault,
    PictureRules,
    PictureWatch,
)
from edge_daemon.core.placement import Place, Scale, place_frame
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.records import FrameDefect
from edge_daemon.core.stretches import Doubts, Stretch
from edge_daemon.core.telling import defect_event, frame_defect, is_long
from edge_daemon.core.tracking import REACH_PX, DefectTracker, Origin, TrackedDefect
from edge_daemon.core.wire import FrameHeader
from edge_daemon.errors import FrameError, RejectReason

__all__ = ["CameraLine", "News", "Passage"]

SILENT_AFTER_NS = 10_000_000_000
"""Once a stream has been silent for so long, another of the camera's is followed, whatever its
clock says; frames from before a restart come while the new stream sends, however slowly."""


class CameraLine:
    """One camera's view of the strip; `arrive`, then `inspected` or `missed`, then `take_news`.

    Args:
        camera: its id.
        scale: millimetres per pixel, None where unknown.
        coils: the coils on the line, shared by all cameras.
        bundle: name and version of the bundle, for the messages.
        saved: the camera's books from before a restart.
        pictures: which pictures are not fit to be looked at; None: all are.
    """

    def __init__(
        self,
        camera: str,
        scale: Scale | None,
        *,
        coils: CoilBook,
        bundle: str,
        saved: CoverageState | None = None,
        pictures: PictureRules | None = None,
    ) -> None:
        self._camera = camera
        self._scale = scale
        self._coils = coils
        self._bundle = bundle
        self._book = CoverageBook(saved)
        self._pictures = None if pictures is None else PictureWatch(pictures)
        self._tracker = DefectTracker(REACH_PX)
        self._news = News()
        self._last_ns = 0
        self._doubts = Doubts()

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
        header = self._book.count_rows(header)
        place = place_frame(header, self._scale)
        self._refuse_late(header, place, now_ns=now_ns)
        self._refuse_new_rows_of_old(header, place, now_ns=now_ns)
        before, position_mm = self._book.state, place.position_mm
        arrival = self._book.arrive(header, place, now_ns=now_ns)
        self._last_ns = now_ns
        same_coil = before is not None and before.coil == header.coil
        if not (arrival.follows_on and same_coil):
            self._end_defects()
        self._news.frames_lost += arrival.frames_lost
        self._news.streams_resumed += arrival.resumes
        torn = arrival.starts_anew or (arrival.gap is not None and not same_coil)
        if torn and before is not None:  # first, for a coil that is done by this frame
            self._coils.tear(before.coil)
        self._news.bodies += self._coils.enter(
            self._camera, header.coil, t_ns=header.t_ns, position_mm=position_mm, goes_on=same_coil
        )
        if torn:
            self._coils.tear(header.coil)
        if arrival.gap is not None:
            self._book_missed(arrival.gap)
        fresh = place.from_row(arrival.repeated_lines)
        origin = Origin(self._camera, header.stream, header.coil, header.t_ns, fresh)
        return Passage(position_mm, arrival.repeated_lines, origin, now_ns)

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
        self._book.count(inspected=origin.place.height_px)
        self._coils.extend(origin.coil, origin.place.end_mm)
        self._doubts.add(passage.stretch(NotInspectedReason.ENGINE_FAULT))
        told = self._book.book_inspected(undecided_from=self._tracker.first_undecided_line)
        self._tell_missed(told)
        return tuple(
            (frame_defect(d, r, origin.place, rows_above=passage.repeated_lines), r)
            for d, r in tracked.parts
        )

    def missed(self, reason: NotInspectedReason, passage: Passage) -> None:
        """Book a frame as not inspected."""
        self._end_defects()
        self._coils.extend(passage.origin.coil, passage.origin.place.end_mm)
        self._book_missed(passage.stretch(reason))

    def judge(self, picture: PictureDigest, *, stream: str) -> PictureFault | None:
        """Say whether the picture of a frame that has arrived is fit to be looked at."""
        return None if self._pictures is None else self._pictures.judge(picture, stream=stream)

    def confirm(self) -> None:
        """Note that the engine is right: what it has said so far may be believed."""
        self._doubts.take()

    def distrust(self) -> None:
        """Book all as not inspected that a faulty engine may have said since it was last right."""
        doubted = self._doubts.take()
        if not doubted:
            return
        self._end_defects()
        self._tell_missed(self._book.close())
        self._book.settle()  # or a restart would tell of the last rows once more
        for stretch in doubted:
            self._retract(stretch, were_inspected=True)
            self._count_missed(stretch)
        self._tell_missed(doubted)

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

    def _refuse_late(self, header: FrameHeader, place: Place, *, now_ns: int) -> None:
        """Refuse a frame of a former start while the new one sends; its rows are booked.

        Where the former one has the newer exposures, or alone sends, it is the camera there is.

        Raises:
            FrameError: it is such a frame.
        """
        state = self._book.state
        if state is None:
            return
        if not self._last_ns:  # after a restart of the daemon nobody knows who sends
            self._last_ns = now_ns
        is_newer = header.t_ns > state.t_ns
        if is_newer or not 0 <= now_ns - self._last_ns < SILENT_AFTER_NS:
            return
        late = self._book.take_late(header, place, now_ns=now_ns)
        if late is None:
            return
        self._count_missed(late)
        self._tell_missed([late])
        raise FrameError(
            RejectReason.SEQUENCE,
            f"frame {header.seq} of stream {header.stream} comes after the camera was started anew",
        )

    def _refuse_new_rows_of_old(self, header: FrameHeader, place: Place, *, now_ns: int) -> None:
        """Refuse a frame that comes again, but has rows that nobody has booked; now they are.

        Raises:
            FrameError: it is such a frame.
        """
        stretch = self._book.take_new_rows(header, place, now_ns=now_ns)
        if stretch is None:
            return
        self.close()
        self._count_missed(stretch)
        self._tell_missed([stretch])
        raise FrameError(
            RejectReason.SEQUENCE,
            f"frame {header.seq} of stream {header.stream} comes again with rows that are new",
        )

    def _retract(self, stretch: Stretch, *, were_inspected: bool) -> None:
        """Take rows off their coil that were booked before a crash and are booked anew."""
        inspected = stretch.lines if were_inspected else 0
        missed = stretch.lines - inspected
        self._coils.retract_lines(
            self._camera, stretch.coil, inspected=inspected, not_inspected=missed
        )
        self._book.count(inspected=-inspected, not_inspected=-missed)

    def _count_missed(self, stretch: Stretch) -> None:
        self._news.lines_not_inspected[stretch.reason] += stretch.lines
        self._coils.book_lines(stretch.coil, not_inspected=stretch.lines)
        self._book.count(not_inspected=stretch.lines)

    def _book_missed(self, stretch: Stretch) -> None:
        self._count_missed(stretch)
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
