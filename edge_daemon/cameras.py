"""The cameras whose books are open: who gets in, who is forgotten."""

from collections.abc import Callable, Iterable, Mapping

from edge_daemon.core.coverage_state import CoverageState
from edge_daemon.core.line import CameraLine
from edge_daemon.core.messages import DurableBody
from edge_daemon.core.placement import Scale
from edge_daemon.documents import CAMERA, read
from edge_daemon.errors import FrameError, RejectReason

MOST_CAMERAS = 64
"""Without `[[camera]]` sections any id is accepted, but no more than so many at a time."""
SILENT_AFTER_NS = 2_000_000_000
"""At the end of the input, a camera that has sent nothing for so long didn't see that end."""
FORGOTTEN_AFTER_NS = 60_000_000_000
"""A camera without a section loses its place to another after so long a silence."""


class Cameras:
    """One `CameraLine` for each camera that sends.

    One that loses its place is put to sleep, as many as may be awake: if it comes back it goes on
    where it was. Its rows would else be booked a second time, as lost.

    Args:
        configured: cameras that are never forgotten and always let in, with their scales.
        open_line: gives a camera's line, with its books from before a restart.
        saved: documents from before a restart.
        most: how many strangers are let in.
    """

    def __init__(
        self,
        configured: Mapping[str, Scale],
        open_line: Callable[[str, CoverageState | None], CameraLine],
        saved: Mapping[str, str],
        *,
        most: int = MOST_CAMERAS,
    ) -> None:
        self._configured = configured
        self._open_line = open_line
        self._most = most
        self._saved = {
            key.removeprefix(CAMERA): text for key, text in saved.items() if key.startswith(CAMERA)
        }
        self._lines: dict[str, CameraLine] = {}
        self._asleep: dict[str, CameraLine] = {}
        self._last_words: list[DurableBody] = []
        self._state: dict[str, str | None] = {}

    @property
    def lines(self) -> Mapping[str, CameraLine]:
        """The cameras that send, or have sent before a restart."""
        return self._lines

    @property
    def sleeping(self) -> Iterable[CameraLine]:
        """Those that lost their places."""
        return self._asleep.values()

    def open_saved(self) -> None:
        """Open the books of all cameras from before a restart."""
        for camera in list(self._saved):
            self._line(camera)

    def admit(self, camera: str, *, now_ns: int) -> CameraLine:
        """Give a camera's line, a new one where there is room for one.

        Raises:
            FrameError: there are too many cameras that no configuration names.
        """
        known = camera in self._configured or camera in self._lines
        if not (known or len(self._lines) < self._most or self._make_room(now_ns)):
            raise FrameError(
                RejectReason.UNKNOWN_CAMERA,
                f"camera {camera!r} would be number {self._most + 1}; name the real ones "
                "with [[camera]], then strangers are refused",
            )
        return self._line(camera)

    def deserted_coils(self) -> list[str | None]:
        """Coils within which a camera fell silent, while others went on sending."""
        lines = [*self._lines.values(), *self._asleep.values()]
        latest_ns = max((line.last_ns for line in lines), default=0)
        return [
            line.state.coil
            for line in lines
            if line.state is not None and latest_ns - line.last_ns > SILENT_AFTER_NS
        ]

    def take_last_words(self) -> tuple[list[DurableBody], dict[str, str | None]]:
        """What has to be told and kept of cameras that fell asleep since the last call."""
        told, self._last_words = self._last_words, []
        state, self._state = self._state, {}
        return told, state

    def _make_room(self, now_ns: int) -> bool:
        """Put the stranger to sleep that has been silent longest, if it has been so for long.

        One with an open defect stays: somebody was told of that, and will be told of its end.
        """
        strangers = [
            camera
            for camera, line in self._lines.items()
            if camera not in self._configured and not line.has_open_defects
        ]
        eldest = min(strangers, key=lambda camera: self._lines[camera].last_ns, default=None)
        if eldest is None or now_ns - self._lines[eldest].last_ns < FORGOTTEN_AFTER_NS:
            return False
        self._put_to_sleep(eldest)
        return True

    def _put_to_sleep(self, camera: str) -> None:
        line = self._lines.pop(camera)
        line.close()
        self._last_words += line.take_news().bodies
        self._asleep[camera] = line
        if line.state is not None:
            self._state[CAMERA + camera] = line.state.model_dump_json()
        while len(self._asleep) > self._most:
            gone = next(iter(self._asleep))
            del self._asleep[gone]
            self._state[CAMERA + gone] = None

    def _line(self, camera: str) -> CameraLine:
        if camera in self._asleep:
            self._lines[camera] = self._asleep.pop(camera)
        elif camera not in self._lines:
            text = self._saved.pop(camera, None)
            books = None if text is None else read(CoverageState, text)
            self._lines[camera] = self._open_line(camera, books)
        return self._lines[camera]
