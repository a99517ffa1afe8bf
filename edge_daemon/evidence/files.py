"""A file of evidence while it is being written."""

from pathlib import Path
from typing import Final

from edge_daemon.errors import RecordingError
from edge_daemon.evidence.frames import KeptFrame
from edge_daemon.recordings.writing import RecordingWriter

MARK_PREFIX: Final = "evidence/"
_MOST_MARKS: Final = 1000


class OpenFile:
    """One recording; `begin` it, then either `finish` or `abandon` it.

    Its metadata say what it is evidence of: a text ``evidence/<defect id>`` for each defect.

    Args:
        path: where it will be when it is finished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.touched_ns = 0
        self._camera = ""
        self._marks = 0
        self._writer = RecordingWriter(path)

    def begin(self, now_ns: int) -> None:
        """Make the file.

        Raises:
            RecordingError: the disk doesn't take it.
        """
        self._writer.__enter__()
        self.touched_ns = now_ns

    def write(self, frame: KeptFrame, *, now_ns: int) -> None:
        """Add a frame.

        Raises:
            RecordingError: the disk doesn't take it.
        """
        self._writer.write(frame.parts, frame.received_ns)
        self._camera = frame.camera
        self.size += frame.size
        self.touched_ns = now_ns

    def mark(self, about: str) -> None:
        """Say what else it is evidence of; of very many only the first are named.

        Raises:
            RecordingError: the disk doesn't take it.
        """
        if self._marks < _MOST_MARKS:
            self._writer.write_metadata(MARK_PREFIX + about, {"camera": self._camera})
        self._marks += 1

    def finish(self) -> None:
        """Give it its name.

        Raises:
            RecordingError: the disk doesn't take it.
        """
        self._writer.__exit__(None, None, None)

    def abandon(self) -> None:
        """Leave it as it is, to be mended later."""
        try:
            self._writer.__exit__(RecordingError, RecordingError("abandoned"), None)
        except RecordingError:
            return  # it is closed all the same, and the disk's trouble is known
