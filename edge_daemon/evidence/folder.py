"""The folder of evidence: what is in it, how large it may grow, what a crash has left.

Names are ``20260101T120000.000000Z-top-1-<defect id>.mcap``: the time (UTC) at which the defect was
found, the camera, the defect's id or ``image-quality``. Files of other names are not touched.
"""

import fcntl
import os
import re
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edge_daemon.core.envelope import iso_utc
from edge_daemon.errors import RecordingError
from edge_daemon.recordings.recovery import RECOVERING_SUFFIX, NothingToRecoverError, recover
from edge_daemon.recordings.writing import PART_SUFFIX

ENDING: Final = ".mcap"
_NAME = re.compile(
    r"\d{8}T\d{6}\.\d{6}Z-[A-Za-z0-9_-]{1,64}-(?:[0-9a-f]{32}|image-quality)(?:-\d+)?\.mcap"
)
_PROBE: Final = ".probe"


def evidence_name(found_ns: int, camera: str, about: str) -> str:
    """A file's name, less its ending.

    Args:
        found_ns: when the frame was received with which it was found, ns since 1970 UTC.
        camera: id of the camera.
        about: the defect's id, or what else it is evidence of.
    """
    time = iso_utc(found_ns).replace("-", "").replace(":", "")
    return f"{time}-{camera}-{about}"


class EvidenceFolder:
    """Holds the finished files of a folder within a limit; for one thread, while it is `taken`.

    Args:
        path: the folder; it is made where it isn't there.
        max_bytes: what it may hold, unfinished files included.
        leave_free_bytes: of its disk; the alerts need some.
        deleted: called for each file that made room.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int,
        leave_free_bytes: int,
        deleted: Callable[[], None] = lambda: None,
    ) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._leave_free_bytes = leave_free_bytes
        self._deleted = deleted
        self._finished: deque[tuple[str, int]] = deque()
        self.size = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Make the folder ready, for this process alone.

        Raises:
            RecordingError: another process has it, or it can't be used.
        """
        with self._trouble_told():
            self.path.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDONLY)
        try:
            with self._trouble_told():
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # goes with the handle
                self._probe()
                self._list()
                self._mend()
            yield
        finally:
            os.close(handle)

    def make_room(self, needed: int, *, unfinished: int) -> bool:
        """Delete the oldest files until there is room; False where that isn't enough.

        Args:
            needed: bytes that are to be written.
            unfinished: bytes in files that are being written.

        Raises:
            RecordingError: too little of the disk is free.
        """
        with self._trouble_told():
            while self.size + unfinished + needed > self._max_bytes:
                if not self._delete_oldest():
                    return False
            while shutil.disk_usage(self.path).free < self._leave_free_bytes + needed:
                if not self._delete_oldest():
                    raise RecordingError(
                        f"{self.path}: less than {self._leave_free_bytes >> 20} MiB of the disk "
                        "are free; make room, or choose another place with [evidence] directory"
                    )
        return True

    def unused(self, name: str) -> Path:
        """Where a file of that name may be written; others of the name get a number."""
        path = self.path / f"{name}{ENDING}"
        number = 1
        while path.exists() or path.with_name(path.name + PART_SUFFIX).exists():
            number += 1
            path = self.path / f"{name}-{number}{ENDING}"
        return path

    def note_finished(self, path: Path) -> None:
        """A file got its name.

        Raises:
            RecordingError: it isn't there any more.
        """
        with self._trouble_told():
            size = path.stat().st_size
        self._finished.append((path.name, size))
        self.size += size

    def _delete_oldest(self) -> bool:
        if not self._finished:
            return False
        name, size = self._finished.popleft()
        self.size -= size
        (self.path / name).unlink(missing_ok=True)
        self._deleted()
        return True

    def _probe(self) -> None:
        """Write a little: a disk may be read-only, full or broken."""
        probe = self.path / _PROBE
        with probe.open("wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fdatasync(file.fileno())
        probe.unlink()

    def _mend(self) -> None:
        """Finish what a crash or a fault left unfinished."""
        for path in self._ours(ENDING + RECOVERING_SUFFIX):
            path.unlink()
        for part in self._ours(ENDING + PART_SUFFIX):
            # The two lie beside each other for a moment; the alerts' room is not for that.
            if not self.make_room(part.stat().st_size, unfinished=part.stat().st_size):
                continue
            whole = part.with_name(part.name.removesuffix(PART_SUFFIX))
            with suppress(NothingToRecoverError):  # then not one frame had reached the disk
                recover(part, whole, overwrite=True)
                self.note_finished(whole)
            part.unlink()

    def _list(self) -> None:
        found = sorted((path.name, path.stat().st_size) for path in self._ours(ENDING))
        self._finished = deque(found)
        self.size = sum(size for _, size in found)

    def _ours(self, ending: str) -> list[Path]:
        return [
            path
            for path in sorted(self.path.glob(f"*{ending}"))
            if _NAME.fullmatch(path.name.removesuffix(ending) + ENDING) and path.is_file()
        ]

    @contextmanager
    def _trouble_told(self) -> Iterator[None]:
        try:
            yield
        except BlockingIOError as error:
            raise RecordingError(
                f"{self.path} is taken by another daemon: give each its own [evidence] directory"
            ) from error
        except OSError as error:
            raise RecordingError(
                f"{self.path}: evidence can't be kept ({error.strerror or error})"
            ) from error
