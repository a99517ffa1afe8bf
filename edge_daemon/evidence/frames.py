"""The last frames of all cameras, as they came off the wire, within a limit of memory."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from edge_daemon.core.records import FrameRecord
from edge_daemon.core.wire import Part
from edge_daemon.outcomes import Message

_COPIED_BYTES: Final = 65536
"""ZeroMQ keeps small parts of several messages in one buffer; a view of one holds all of it."""
_OVERHEAD_BYTES: Final = 1024


@dataclass(frozen=True, slots=True)
class KeptFrame:
    """One message with what has to be known of it.

    Attributes:
        camera: who sent it.
        parts: as they were received; large ones are views that keep ZeroMQ's memory.
        stream: of the camera's start.
        t_ns: exposure of its first row, ns since 1970 UTC.
        received_ns: when it was received, ns since 1970 UTC.
        at_ns: the same on the clock that never goes back.
        size: bytes that it holds.
    """

    camera: str
    parts: tuple[Part, ...]
    stream: str
    t_ns: int
    received_ns: int
    at_ns: int
    size: int


def keep(message: Message, record: FrameRecord) -> KeptFrame | None:
    """Take hold of a message; None where there is nothing to see in it.

    Args:
        message: what came in.
        record: what came of it.
    """
    if record.camera is None or record.stream is None or message.left_out is not None:
        return None
    parts = tuple(part if len(part) > _COPIED_BYTES else bytes(part) for part in message.parts)
    arrived_ns = message.arrived_monotonic_ns
    return KeptFrame(
        record.camera,
        parts,
        record.stream,
        record.t_ns or 0,
        message.received_ns,
        message.received_ns if arrived_ns is None else arrived_ns,
        _OVERHEAD_BYTES + sum(len(part) for part in parts),
    )


class FrameRing:
    """Frames in the order in which they came; for one thread.

    Args:
        keep_ns: how old one may become.
    """

    def __init__(self, keep_ns: int) -> None:
        self._keep_ns = keep_ns
        self._frames: deque[KeptFrame] = deque()
        self.size = 0

    def add(self, frame: KeptFrame) -> None:
        """Keep a frame, and let go of those that are too old."""
        self._frames.append(frame)
        self.size += frame.size
        while frame.at_ns - self._frames[0].at_ns > self._keep_ns:
            self.drop_oldest()

    def drop_oldest(self) -> bool:
        """Let go of the oldest frame; False where there is none."""
        if not self._frames:
            return False
        self.size -= self._frames.popleft().size
        return True

    def take(self, camera: str) -> list[KeptFrame]:
        """Hand over all frames of a camera, oldest first."""
        taken = [frame for frame in self._frames if frame.camera == camera]
        self._frames = deque(frame for frame in self._frames if frame.camera != camera)
        self.size -= sum(frame.size for frame in taken)
        return taken
