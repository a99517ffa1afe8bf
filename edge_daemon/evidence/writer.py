"""The thread that writes evidence: slow or broken disks hold up nobody else."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Final, Self

from edge_daemon.clock import Clock
from edge_daemon.errors import RecordingError
from edge_daemon.evidence.files import OpenFile
from edge_daemon.evidence.folder import EvidenceFolder
from edge_daemon.evidence.jobs import Finish, Job, Jobs, Keep, Mark
from edge_daemon.evidence.observer import DropReason, EvidenceObserver
from edge_daemon.recordings.parts import can_be_kept

_LOG = logging.getLogger(__name__)
_WAIT_S: Final = 0.2
_JOIN_S: Final = 5.0
_NICENESS: Final = 10
_RECORD_BYTES: Final = 4096
"""What a frame takes in a file beside its parts, generously."""


class EvidenceWriter:
    """Owns the folder, the files that are being written, and the thread that does it.

    After an error of the disk it keeps nothing for a while, says so, and tries again.

    Args:
        folder: where files go.
        jobs: what is to be done.
        observer: told how it goes, on this thread.
        clock: for what has been idle and for trying again.
        most_file_bytes: when a file is longer, the next one begins.
        idle_s: a file that nothing was written to for so long is finished.
        retry_s: how long to wait after an error.
    """

    def __init__(
        self,
        folder: EvidenceFolder,
        jobs: Jobs,
        *,
        observer: EvidenceObserver,
        clock: Clock,
        most_file_bytes: int,
        idle_s: float,
        retry_s: float,
    ) -> None:
        self._folder = folder
        self._jobs = jobs
        self._observer = observer
        self._clock = clock
        self._most_file_bytes = most_file_bytes
        self._idle_ns = int(idle_s * 1e9)
        self._retry_ns = int(retry_s * 1e9)
        self._files: dict[str, OpenFile] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="evidence", daemon=True)
        self.trouble: str | None = None

    def __enter__(self) -> Self:
        """Begin: what a crash left is mended first."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write what waits, within seconds; what is left then is mended at the next start."""
        self._stop.set()
        self._thread.join(_JOIN_S)

    def _work(self) -> None:
        _step_back()
        try:
            while not self._is_over:
                self._work_until_trouble()
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: it is told
            _LOG.exception("no evidence will be kept until the next start")
            self._tell(f"evidence isn't kept any more: {failure!r}")

    def _work_until_trouble(self) -> None:
        try:
            with self._folder.taken():
                self._tell(None)
                self._observer.folder_changed(self._folder.size)
                with self._all_files():
                    while not self._is_over:
                        self._turn()
        except RecordingError as error:
            self._tell(str(error))
            self._wait_out()

    @property
    def _is_over(self) -> bool:
        return self._stop.is_set() and self._jobs.is_empty

    def _turn(self) -> None:
        job = self._jobs.take(_WAIT_S)
        if job is not None:
            try:
                self._do(job)
            finally:
                self._jobs.release(job)
        now_ns = self._clock.monotonic_ns()
        for name, file in list(self._files.items()):
            if now_ns - file.touched_ns > self._idle_ns:
                self._finish(name)

    def _do(self, job: Job) -> None:
        match job:
            case Keep():
                self._keep(job)
            case Mark(name, about):
                if name in self._files:
                    self._files[name].mark(about)
            case Finish(name):
                self._finish(name)

    def _keep(self, job: Keep) -> None:
        reason = self._refusal(job)
        if reason is not None:
            self._observer.frame_dropped(reason)
            return
        try:
            file = self._files.get(job.name) or self._open(job.name)
            file.write(job.frame, now_ns=self._clock.monotonic_ns())
        except RecordingError:
            self._observer.frame_dropped(DropReason.TROUBLE)
            raise
        self._observer.frame_kept()
        if file.size > self._most_file_bytes:
            self._finish(job.name)

    def _refusal(self, job: Keep) -> DropReason | None:
        if not can_be_kept(job.frame.parts):
            return DropReason.TOO_LARGE
        unfinished = sum(file.size for file in self._files.values())
        has_room = self._folder.make_room(job.frame.size + _RECORD_BYTES, unfinished=unfinished)
        return None if has_room else DropReason.FULL

    def _open(self, name: str) -> OpenFile:
        file = OpenFile(self._folder.unused(name))
        file.begin(self._clock.monotonic_ns())
        self._files[name] = file
        return file

    def _finish(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            file.finish()
            self._folder.note_finished(file.path)
            self._observer.file_finished()
            self._observer.folder_changed(self._folder.size)

    @contextmanager
    def _all_files(self) -> Iterator[None]:
        """In the end every file is finished, or left as it is where the disk is in trouble."""
        try:
            yield
            for name in list(self._files):
                self._finish(name)
        finally:
            for file in self._files.values():
                file.abandon()
            self._files.clear()

    def _wait_out(self) -> None:
        until_ns = self._clock.monotonic_ns() + self._retry_ns
        while not self._stop.is_set() and self._clock.monotonic_ns() < until_ns:
            job = self._jobs.take(_WAIT_S)
            if job is not None:
                self._jobs.release(job)
            if isinstance(job, Keep):
                self._observer.frame_dropped(DropReason.TROUBLE)

    def _tell(self, trouble: str | None) -> None:
        if trouble is not None and self.trouble is None:
            _LOG.error("%s", trouble)
        elif trouble is None and self.trouble is not None:
            _LOG.info("evidence is kept again")
        self.trouble = trouble
        self._observer.trouble_changed(trouble)


def _step_back() -> None:
    """Give the processor to those who inspect; on Linux this is the thread's own priority."""
    with suppress(OSError):  # a service may be forbidden to
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
