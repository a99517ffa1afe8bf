"""The last part of a frame's way, which knows what came before it.

    prepare (parse, decode, cut) -> segment -> settle (place, find defects, follow, book)

`edge_daemon.preparing` is the first, `edge_daemon.inference` the second; `edge_daemon.conveyor`
carries frames through them. None of the three does I/O or reads a clock to come to a verdict, so a
replay of the same messages gives the same outcomes as the daemon gave live.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from edge_daemon.core.coils import CoilBook, CoilState
from edge_daemon.core.coverage import CoverageState
from edge_daemon.core.defects import DefectClass, Region, find_regions
from edge_daemon.core.line import CameraLine, News, Passage
from edge_daemon.core.messages import Announcement, DefectEvent, DurableBody
from edge_daemon.core.placement import Scale
from edge_daemon.core.tiling import Probabilities, Tiling, stitch
from edge_daemon.core.tracking import REACH_PX
from edge_daemon.core.wire import Frame
from edge_daemon.errors import EngineError, FrameError, RejectReason
from edge_daemon.outcomes import Facts, Message, Outcome, booked_as, judge
from edge_daemon.preparing import Prepared, Refused, Stage, Unplaced

Answer: TypeAlias = Probabilities | EngineError | None
"""What the network says of a frame: (N, K, h, w) of its strips, None where all of them are clean,
or that it failed."""

MOST_CAMERAS = 64
"""Without `[[camera]]` sections any id is accepted, but no more than so many at a time."""
FORGOTTEN_AFTER_NS = 60_000_000_000
"""A camera without a section loses its place to another after so long a silence."""

_Document = TypeVar("_Document", bound=BaseModel)
_CAMERA, _COIL, _OPEN = "camera/", "coil/", "open/"


class Inspector:
    """Inspects the frames of any number of cameras, one after the other.

    Args:
        classes: the bundle's classes, in the order of the network's planes.
        bundle: its name and version, for the messages.
        scales: millimetres per pixel, by camera id.
        saved: documents from before a restart, as `Facts.state` gave them.
        stage: times a stage.
    """

    def __init__(
        self,
        classes: Sequence[DefectClass],
        *,
        bundle: str,
        scales: Mapping[str, Scale],
        saved: Mapping[str, str],
        stage: Stage,
    ) -> None:
        self._classes = tuple(classes)
        self._bundle = bundle
        self._scales = scales
        self._saved = dict(saved)
        self._stage = stage
        self._coils = CoilBook(classes, _saved_coils(saved))
        self._coils_kept = {state.coil for state in self._coils.open_coils}
        self._lines: dict[str, CameraLine] = {}
        self._forgotten: list[str] = []

    @property
    def cameras(self) -> tuple[str, ...]:
        """Cameras that have sent a frame, this time or before a restart."""
        return tuple(self._lines)

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
            self._admit(frame.camera, now_ns=message.received_ns)
            line = self._line(frame.camera)
            frame = _with_coil(frame, line)
            passage = line.arrive(frame.header, now_ns=message.received_ns)
        except FrameError as error:  # its rows have been booked before, or there is no place
            return _unplaced(frame, error)
        if isinstance(prepared, Refused):
            missed = self._miss(frame, line, passage, message=message, error=prepared.error)
            return replace(missed, rejected=prepared.error)
        if isinstance(answer, EngineError):
            missed = self._miss(frame, line, passage, message=message, error=answer)
            return replace(missed, fault=answer)
        with self._stage("find"):
            regions = self._find(prepared.tiling, answer, first_row=passage.repeated_lines)
        with self._stage("book"):
            parts = line.inspected(regions, passage)
            defects = tuple(defect for defect, _ in parts)
            return Outcome(
                judge(frame, passage.position_mm, defects=defects),
                self._facts(frame.camera, line, message),
                image=prepared.image,
                regions=tuple(region for _, region in parts),
                repeated_lines=passage.repeated_lines,
            )

    def _miss(
        self,
        frame: Frame,
        line: CameraLine,
        passage: Passage,
        *,
        message: Message,
        error: FrameError | EngineError,
    ) -> Outcome:
        reason = booked_as(error)
        line.missed(reason, passage)
        record = judge(frame, passage.position_mm, reason=reason.value)
        return Outcome(record, self._facts(frame.camera, line, message))

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
        for key in self._saved:
            if key.startswith(_CAMERA):
                self._line(key.removeprefix(_CAMERA))
        return [closed, *self._of_each(lambda line: line.rebook_unsettled(now_ns=now_ns))]

    def _close_defects(self) -> Facts:
        saved = {key: text for key, text in self._saved.items() if key.startswith(_OPEN)}
        read = [_read(DefectEvent, text) for text in saved.values()]
        bodies = [body for body in read if body is not None]
        for body in bodies:
            self._coils.book_defect(body.coil, body.class_name, severity=body.severity)
        closed = [body.model_copy(update={"open": False}) for body in bodies]
        return Facts(
            tuple(Announcement(body) for body in closed), self._coil_state() | dict.fromkeys(saved)
        )

    def confirm(self) -> None:
        """The engine has given its known answer: what it said so far may be believed."""
        for line in self._lines.values():
            line.confirm()

    def distrust(self) -> list[Facts]:
        """The engine didn't: rows since its last good answer were not inspected."""
        return self._of_each(CameraLine.distrust)

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
        done = tuple(Announcement(body) for body in self._coils.close_all(t_ns))
        return [*ends, Facts(done, self._coil_state())]

    def _admit(self, camera: str, *, now_ns: int) -> None:
        """Hold the number of cameras that are in no configuration within bounds.

        Raises:
            FrameError: there are too many of them.
        """
        if camera in self._scales or camera in self._lines or len(self._lines) < MOST_CAMERAS:
            return
        if not self._make_room(now_ns):
            raise FrameError(
                RejectReason.UNKNOWN_CAMERA,
                f"camera {camera!r} would be number {MOST_CAMERAS + 1}; name the real ones "
                "with [[camera]], then strangers are refused",
            )

    def _make_room(self, now_ns: int) -> bool:
        """Forget the stranger that has been silent longest, if it has been so for long.

        One with an open defect stays: somebody was told of that, and will be told of its end.
        """
        strangers = [
            camera
            for camera, line in self._lines.items()
            if camera not in self._scales and not line.has_open_defects
        ]
        eldest = min(strangers, key=lambda camera: self._lines[camera].last_ns, default=None)
        if eldest is None or now_ns - self._lines[eldest].last_ns < FORGOTTEN_AFTER_NS:
            return False
        del self._lines[eldest]
        self._saved.pop(_CAMERA + eldest, None)
        self._forgotten.append(eldest)
        return True

    def _line(self, camera: str) -> CameraLine:
        if camera not in self._lines:
            saved = self._saved.get(_CAMERA + camera)
            self._lines[camera] = CameraLine(
                camera,
                self._scales.get(camera),
                coils=self._coils,
                bundle=self._bundle,
                saved=None if saved is None else _read(CoverageState, saved),
            )
        return self._lines[camera]

    def _of_each(self, act: Callable[[CameraLine], None]) -> list[Facts]:
        """Do something with every camera and give the facts of those that have news by it.

        One camera after the other: a crash may come between their facts, and the coils' counts in
        the first must not hold what only the second tells.
        """
        facts = []
        for camera, line in self._lines.items():
            act(line)
            facts.append(self._facts(camera, line, None))
        return [each for each in facts if each.news != News()]

    def _facts(self, camera: str, line: CameraLine, message: Message | None) -> Facts:
        news = line.take_news()
        arrived_ns = None if message is None else message.arrived_monotonic_ns
        state = self._coil_state() | _open_defect_state(news.bodies)
        forgotten, self._forgotten = self._forgotten, []
        state |= {_CAMERA + gone: None for gone in forgotten if gone not in self._lines}
        if line.state is not None:
            state[_CAMERA + camera] = line.state.model_dump_json()
        return Facts(
            tuple(Announcement(body, arrived_ns) for body in news.bodies), state, news, camera
        )

    def _coil_state(self) -> dict[str, str | None]:
        state: dict[str, str | None] = {
            _COIL + coil.coil: coil.model_dump_json() for coil in self._coils.open_coils
        }
        now_open = {coil.coil for coil in self._coils.open_coils}
        state |= {_COIL + coil: None for coil in self._coils_kept - now_open}
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


def _saved_coils(saved: Mapping[str, str]) -> Iterable[CoilState]:
    read = [_read(CoilState, text) for key, text in saved.items() if key.startswith(_COIL)]
    return [state for state in read if state is not None]


def _read(model: type[_Document], text: str) -> _Document | None:
    """A document from before a restart; one of another version is as good as none."""
    try:
        return model.model_validate_json(text)
    except ValidationError:
        return None


def _open_defect_state(bodies: Sequence[DurableBody]) -> dict[str, str | None]:
    """Documents of defects that were told as open and have not ended."""
    return {
        _OPEN + body.defect_id: body.model_dump_json(by_alias=True) if body.open else None
        for body in bodies
        if isinstance(body, DefectEvent)
    }
