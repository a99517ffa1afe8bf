"""What the keeper asks of the writer, and how much of it may wait.

A file is known by its name, less the ending.
"""

import queue
import threading
from dataclasses import dataclass
from typing import Final, TypeAlias

from edge_daemon.evidence.frames import KeptFrame

_MOST_JOBS: Final = 4096


@dataclass(frozen=True, slots=True)
class Keep:
    """Write a frame; the first one of a name begins its file."""

    name: str
    frame: KeptFrame


@dataclass(frozen=True, slots=True)
class Mark:
    """Note in a file what it is evidence of."""

    name: str
    about: str


@dataclass(frozen=True, slots=True)
class Finish:
    """No more frames of this name will come."""

    name: str


Job: TypeAlias = Keep | Mark | Finish


class Jobs:
    """What waits to be written: one thread puts in, another takes out and releases."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Job] = queue.Queue(_MOST_JOBS)
        self._size = 0
        self._counting = threading.Lock()  # both threads change the size

    @property
    def size(self) -> int:
        """Bytes of the frames that wait or are being written."""
        return self._size

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    def put(self, job: Job) -> bool:
        """Ask for something; False where too much waits."""
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            return False
        self._count(job, +1)
        return True

    def take(self, timeout_s: float) -> Job | None:
        """What has waited longest, None if nothing came within the time; to be released."""
        try:
            return self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def release(self, job: Job) -> None:
        """It is done, one way or the other: its memory is free."""
        self._count(job, -1)

    def _count(self, job: Job, sign: int) -> None:
        if isinstance(job, Keep):
            with self._counting:
                self._size += sign * job.frame.size
