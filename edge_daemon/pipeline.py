"""The last part of a frame's way, which knows what came before it.

    prepare (parse, decode, cut) -> segment -> settle (place, find defects, follow, book)

`edge_daemon.preparing` is the first, `edge_daemon.inference` the second; `edge_daemon.conveyor`
carries frames through them. None of the three does I/O or reads a clock to come to a verdict, so a
replay of the same messages gives the same outcomes as the daemon gave live.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from edge_daemon.cameras import MOST_CAMERAS, Cameras
from edge_daemon.core.coils import CoilBook
from edge_daemon.core.coverage_state import CoverageState
from edge_daemon.core.defects import DefectClass, Region, find_regions
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.line import CameraLine, News, Passage
from edge_daemon.core.messages import DefectEvent
from edge_daemon.core.picture_quality import PictureRules
from edge_daemon.core.placement import Scale
from edge_daemon.core.tiling import Probabilities, Tiling, stitch
from edge_daemon.core.tracking import REACH_PX
from edge_daemon.core.wire import Frame
from edge_daemon.documents import CAMERA, COIL, OPEN, open_defects, read, saved_coils
from edge_daemon.errors import EngineError, FrameError, RejectReason
from edge_daemon.outcomes import Facts, Message, Outcome, booked_as, judge
from edge_daemon.preparing import Prepared, Ready, Refused, Stage, Unplaced

Answer: TypeAlias = Probabilities | EngineError | None
"""What the network says of a frame: (N, K, h, w) of its strips, None where all of them are clean,
or that it failed."""

__all__ = ["MOST_CAMERAS", "Answer", "Inspector"]


@dataclass(frozen=True, slots=True)
class _Arrived:
    """A frame whose place is known and whose rows are not booked yet."""

    frame: Frame
    line: CameraLine
    passage: Passage
    message: Message


class Inspector:
    """Inspects the frames of any number of cameras, one after the other.

    Args:
        classes: the bundle's classes, in the order of the network's planes.
        bundle: its name and version, for the messages.
        scales: millimetres per pixel, by id of the cameras that have to see all of each coil.
        saved: documents from before a restart, as `Facts.state` gave them.
        stage: times a stage.
        pictures: which pictures are not fit to be looked at; None: all are.
        most_cameras: how many cameras without a scale may send at a time.
    """

    def __init__(
        self,
        classes: Sequence[DefectClass],
        *,
        bundle: str,
        scales: Mapping[str, Scale],
        saved: Mapping[str, str],
        stage: Stage,
        pictures: PictureRules | None = None,
        most_cameras: int = MOST_CAMERAS,
    ) -> None:
        self._classes = tuple(classes)
        self._bundle = bundle
        self._scales = scales
        self._saved = dict(saved)
        self._stage = stage
        self._pictures = pictures
        self._coils = CoilBook(classes, saved_coils(saved), expected=scales)
        self._coils_kept = {state.coil for state in self._coils.open_coils}
        self._cameras = Cameras(scales, self._open_line, saved, most=most_cameras)

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that have sent a frame, this time or before a restart."""
        return tuple(self._cameras.lines)

    def settle(self, prepared: Prepared, answer: Answer) -> Outcome:
        """Place a frame on the strip, follow its defects, book its rows.

        Args:
            prepared: a frame; those of one camera in the order in which they came.
            answer: what the network says of it; of no matter where the frame was refused.
        """
        if isinstance(prepared, Unplaced):
            return _unplaced(None, prepared.error)
        frame, message = prepared.frame, prepared.message
        try:
            line = self._cameras.admit(frame.camera, now_ns=message.received_ns)
        except FrameError as error:
            return _unplaced(frame, error)
        before = line.state
        try:
            frame = _with_coil(frame, line)
            passage = line.arrive(frame.header, now_ns=message.received_ns)
        except FrameError as error:  # its rows have been booked before, or are now without a look
            facts = Facts() if line.state is before else self._facts(line, message)
            return replace(_unplaced(frame, error), facts=facts)
        arrived = _Arrived(frame, line, passage, message)
        if isinstance(prepared, Refused):
            return self._miss(arrived, prepared.error)
        if isinstance(answer, EngineError):
            return self._miss(arrived, answer)
        return self._look(arrived, prepared, answer)

    def _look(self, arrived: _Arrived, ready: Ready, answer: Probabilities | None) -> Outcome:
        frame, line, passage = arrived.frame, arrived.line, arrived.passage
        stream = frame.header.stream
        unfit = None if ready.picture is None else line.judge(ready.picture, stream=stream)
        if unfit is not None:
            error = FrameError(RejectReason.IMAGE_QUALITY, f"the picture is {unfit}")
            return replace(self._miss(arrived, error), unfit=unfit)
        with self._stage("find"):
            regions = self._find(ready.tiling, answer, first_row=passage.repeated_lines)
        with self._stage("book"):
            parts = line.inspected(regions, passage)
            defects = tuple(defect for defect, _ in parts)
            return Outcome(
                judge(frame, passage.position_mm, defects=defects),
                self._facts(line, arrived.message),
                image=ready.image,
                regions=tuple(region for _, region in parts),
                repeated_lines=passage.repeated_lines,
            )

    def _miss(self, arrived: _Arrived, error: FrameError | EngineError) -> Outcome:
        reason = booked_as(error)
        arrived.line.missed(reason, arrived.passage)
        return Outcome(
            judge(arrived.frame, arrived.passage.position_mm, reason=reason.value),
            self._facts(arrived.line, arrived.message),
            rejected=error if isinstance(error, FrameError) else None,
            fault=error if isinstance(error, EngineError) else None,
        )

    def _find(
        self, tiling: Tiling, answer: Probabilities | None, *, first_row: int
    ) -> list[Region]:
        if answer is None:
            return []
        return find_regions(
            stitch(answer, tiling),
            self._classes,
            height_px=tiling.height_px,
            width_px=tiling.width_px,
            stride_px=tiling.stride_px,
            reach_px=REACH_PX,
            first_row=first_row,
        )

    def start(self, *, now_ns: int = 0) -> list[Facts]:
        """Settle what a restart has left open.

        Defects told as open are closed: nobody saw how they went on. Rows that were not settled are
        booked as not inspected, whether their camera comes back or not. What passed meanwhile is
        unknown until it does, so no coil that was open can be complete.
        """
        self._coils.tear(*(state.coil for state in self._coils.open_coils))
        closed = self._close_defects()
        self._cameras.open_saved()
        return [closed, *self._of_each(lambda line: line.rebook_unsettled(now_ns=now_ns))]

    def _close_defects(self) -> Facts:
        saved = {key: text for key, text in self._saved.items() if key.startswith(OPEN)}
        told = [read(DefectEvent, text) for text in saved.values()]
        bodies = [body for body in told if body is not None]
        for body in bodies:
            self._coils.book_defect(body.coil, body.class_name, severity=body.severity)
        closed = [body.model_copy(update={"open": False}) for body in bodies]
        return Facts(
            tuple(Announcement(body) for body in closed), self._coil_state() | dict.fromkeys(saved)
        )

    def confirm(self) -> None:
        """The engine has given its known answer: what it said so far may be believed."""
        for line in [*self._cameras.lines.values(), *self._cameras.sleeping]:
            line.confirm()

    def distrust(self) -> list[Facts]:
        """The engine didn't: rows since its last good answer were not inspected."""
        return self._of_each(CameraLine.distrust, asleep=True)

    def tick(self, now_ns: int, *, quiet_for_ns: int, busy: Container[str] = ()) -> list[Facts]:
        """Tell of stretches that have been growing while no frame came to end them.

        Args:
            now_ns: ns since 1970 UTC.
            quiet_for_ns: how long no frame has come.
            busy: cameras whose frames have come and wait to be settled.
        """

        def tick(line: CameraLine) -> None:
            if line.camera not in busy:
                line.tick(now_ns, quiet_for_ns=quiet_for_ns)

        return self._of_each(tick)

    def stop(self) -> list[Facts]:
        """End and tell what is open before nobody looks; coils go on with the next start."""
        return self._of_each(CameraLine.close)

    def close(self, t_ns: int) -> list[Facts]:
        """End all that is open, coils too: the input is over."""
        ends = self.stop()
        self._coils.tear(*self._cameras.deserted_coils())
        done = tuple(Announcement(body) for body in self._coils.close_all(t_ns))
        return [*ends, Facts(done, self._coil_state())]

    def _open_line(self, camera: str, books: CoverageState | None) -> CameraLine:
        return CameraLine(
            camera,
            self._scales.get(camera),
            coils=self._coils,
            bundle=self._bundle,
            saved=books,
            pictures=self._pictures,
        )

    def _of_each(self, act: Callable[[CameraLine], None], *, asleep: bool = False) -> list[Facts]:
        """Do something with every camera and give the facts of those that have news by it.

        One camera after the other: a crash may come between their facts, and the coils' counts in
        the first must not hold what only the second tells.
        """
        facts = []
        sleeping = self._cameras.sleeping if asleep else ()
        for line in [*self._cameras.lines.values(), *sleeping]:
            act(line)
            facts.append(self._facts(line, None))
        return [each for each in facts if each.news != News()]

    def _facts(self, line: CameraLine, message: Message | None) -> Facts:
        news = line.take_news()
        arrived_ns = None if message is None else message.arrived_monotonic_ns
        last_words, asleep = self._cameras.take_last_words()
        state = self._coil_state() | open_defects(news.bodies) | asleep
        if line.state is not None:
            state[CAMERA + line.camera] = line.state.model_dump_json()
        told = [Announcement(body) for body in last_words]
        told += [Announcement(body, arrived_ns) for body in news.bodies]
        return Facts(tuple(told), state, news, line.camera)

    def _coil_state(self) -> dict[str, str | None]:
        state: dict[str, str | None] = {
            COIL + coil.coil: coil.model_dump_json() for coil in self._coils.open_coils
        }
        now_open = {coil.coil for coil in self._coils.open_coils}
        state |= {COIL + coil: None for coil in self._coils_kept - now_open}
        self._coils_kept = now_open
        return state


def _with_coil(frame: Frame, line: CameraLine) -> Frame:
    """A header that is wrong says nothing of a change of coil: the camera sees the one it saw."""
    if frame.fault is None or line.state is None:
        return frame
    header = frame.header.model_copy(update={"coil": frame.header.coil or line.state.coil})
    return replace(frame, header=header)


def _unplaced(frame: Frame | None, error: FrameError) -> Outcome:
    """What came of a message whose rows are unknown, or known and booked already."""
    return Outcome(judge(frame, None, reason=error.reason.value), rejected=error)
