"""Decides what becomes evidence: the frames before and after each defect, by camera."""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge_daemon.clock import Clock
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import DefectEvent, DurableBody
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.records import FrameRecord
from edge_daemon.evidence.folder import EvidenceFolder, evidence_name
from edge_daemon.evidence.frames import FrameRing, KeptFrame, keep
from edge_daemon.evidence.jobs import Finish, Jobs, Keep, Mark
from edge_daemon.evidence.observer import DropReason, EvidenceObserver
from edge_daemon.evidence.writer import EvidenceWriter
from edge_daemon.outcomes import Message

_IMAGE_QUALITY: Final = "image-quality"
_MOST_UNFIT: Final = 1024
_TOLD_LATE_NS: Final = 5_000_000_000
"""A defect is told when it has ended, or has become two metres long: so much later at most."""
_IDLE_S: Final = 15.0
_RETRY_S: Final = 30.0
_FILES_IN_FOLDER: Final = 8


@dataclass(frozen=True, slots=True)
class EvidenceSettings:
    """What to keep, and how much.

    Attributes:
        directory: where files go.
        max_bytes: what the folder may hold.
        memory_bytes: what frames may take while they wait, in memory.
        before_s: so much before the frame in which a defect begins.
        after_s: so much after the frame with which it was told.
        leave_free_bytes: of the disk.
    """

    directory: Path
    max_bytes: int
    memory_bytes: int
    before_s: float
    after_s: float
    leave_free_bytes: int


@dataclass(slots=True)
class _Window:
    """A file that frames of a camera go to until its time is over."""

    name: str
    newest_ns: int
    until_ns: int


class EvidenceKeeper:
    """Keeps evidence; `note` and `note_facts` are for one thread and never wait.

    Args:
        settings: what to keep.
        clock: for the writer's patience.
        observer: told how it goes, on the caller's thread and on the writer's.
        retry_s: how long nothing is tried after an error of the disk.
    """

    def __init__(
        self,
        settings: EvidenceSettings,
        *,
        clock: Clock,
        observer: EvidenceObserver,
        retry_s: float = _RETRY_S,
    ) -> None:
        self._memory_bytes = settings.memory_bytes
        self._before_ns = int(settings.before_s * 1e9)
        self._after_ns = int(settings.after_s * 1e9)
        self._observer = observer
        self._ring = FrameRing(self._before_ns + _TOLD_LATE_NS)
        self._windows: dict[str, _Window] = {}
        self._unfit: set[str] = set()
        self._jobs = Jobs()
        self._exits = ExitStack()
        self._writer = EvidenceWriter(
            EvidenceFolder(
                settings.directory,
                max_bytes=settings.max_bytes,
                leave_free_bytes=settings.leave_free_bytes,
                deleted=observer.file_deleted,
            ),
            self._jobs,
            observer=observer,
            clock=clock,
            most_file_bytes=settings.max_bytes // _FILES_IN_FOLDER,
            idle_s=settings.after_s + _IDLE_S,
            retry_s=retry_s,
        )

    def __enter__(self) -> Self:
        """Start the writer."""
        self._exits.enter_context(self._writer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what waits to be written, within seconds."""
        self._exits.close()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be kept; None while it can."""
        return self._writer.trouble

    @property
    def size(self) -> int:
        """Bytes that frames take in memory."""
        return self._ring.size + self._jobs.size

    def note(self, message: Message, record: FrameRecord) -> None:
        """Take in a settled message; to be called before `note_facts` with what came of it."""
        frame = keep(message, record)
        if frame is None:
            return
        self._close_windows(frame.at_ns)
        window = self._windows.get(frame.camera)
        if window is None:
            self._ring.add(frame)
            self._make_room(0)
        else:
            window.newest_ns = frame.at_ns
            self._hand_over(window, frame)
        self._judge_picture(frame, is_unfit=record.reason == NotInspectedReason.IMAGE_QUALITY)

    def note_facts(self, bodies: Iterable[DurableBody]) -> None:
        """Look through what is being told for what wants evidence."""
        for body in bodies:
            if isinstance(body, DefectEvent):
                self._want(body.camera, body.defect_id, stream=body.stream, at=body.captured_at)

    def _judge_picture(self, frame: KeptFrame, *, is_unfit: bool) -> None:
        """The first picture in which nothing can be seen is worth a file, the thousandth isn't."""
        if not is_unfit:
            self._unfit.discard(frame.camera)
        elif frame.camera not in self._unfit:
            if len(self._unfit) >= _MOST_UNFIT:  # strangers may come under any number of names
                self._unfit.clear()
            self._unfit.add(frame.camera)
            self._want(frame.camera, _IMAGE_QUALITY, stream=frame.stream, at=iso_utc(frame.t_ns))

    def _close_windows(self, now_ns: int) -> None:
        over = [camera for camera, each in self._windows.items() if each.until_ns < now_ns]
        for camera in over:
            self._jobs.put(Finish(self._windows.pop(camera).name))

    def _want(self, camera: str, about: str, *, stream: str, at: str) -> None:
        window = self._windows.get(camera)
        if window is not None:
            window.until_ns = window.newest_ns + self._after_ns
            self._jobs.put(Mark(window.name, about))
            return
        frames = self._ring.take(camera)
        if not frames:
            return  # what came before went to another file, and nothing since
        newest = frames[-1]
        begin_ns = _began(frames, stream, at) - self._before_ns
        name = evidence_name(newest.received_ns, camera, about)
        window = _Window(name, newest.at_ns, newest.at_ns + self._after_ns)
        self._windows[camera] = window
        for frame in frames:
            if frame.at_ns >= begin_ns:
                self._hand_over(window, frame)
        self._jobs.put(Mark(name, about))

    def _hand_over(self, window: _Window, frame: KeptFrame) -> None:
        if not (self._make_room(frame.size) and self._jobs.put(Keep(window.name, frame))):
            self._observer.frame_dropped(DropReason.SLOW)

    def _make_room(self, needed: int) -> bool:
        """Forget the oldest frames that are no evidence; False where that isn't enough."""
        while self.size + needed > self._memory_bytes:
            if not self._ring.drop_oldest():
                return False
        return True


def _began(frames: list[KeptFrame], stream: str, at: str) -> int:
    """When the frame came in which it begins; the newest, where that is not among them."""
    for frame in frames:
        if frame.stream == stream and iso_utc(frame.t_ns) == at:
            return frame.at_ns
    return frames[-1].at_ns
