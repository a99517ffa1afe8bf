"""Frames of a camera, facts about them, and an observer that remembers."""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import DefectEvent
from edge_daemon.core.records import FrameRecord, Verdict
from edge_daemon.evidence.frames import KeptFrame, keep
from edge_daemon.evidence.observer import DropReason
from edge_daemon.outcomes import Message
from tests.edge_daemon.bodies import defect_event

NOW_NS = 1_790_000_000_000_000_000
SECOND_NS = 1_000_000_000


@dataclass
class Watcher:
    """Remembers what it was told; `on_kept` runs on the writer's thread."""

    told: Counter[str] = field(default_factory=Counter)
    troubles: list[str | None] = field(default_factory=list)
    size: int = 0
    on_kept: Callable[[], object] = lambda: None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.told[what] += 1

    def frame_kept(self) -> None:
        self.count("kept")
        self.on_kept()

    def frame_dropped(self, reason: DropReason) -> None:
        self.count(reason.value)

    def file_finished(self) -> None:
        self.count("finished")

    def file_deleted(self) -> None:
        self.count("deleted")

    def folder_changed(self, size: int) -> None:
        self.size = size

    def trouble_changed(self, trouble: str | None) -> None:
        self.troubles.append(trouble)


def shot(
    n: int, *, camera: str = "top", payload: bytes = b"steel", reason: str | None = None
) -> tuple[Message, FrameRecord]:
    """Frame number n, taken n tenths of a second after the first; `reason`: not inspected."""
    at_ns = n * SECOND_NS // 10
    parts = [camera.encode(), b'{"seq":%d}' % n, payload]
    message = Message(parts, NOW_NS + at_ns, arrived_monotonic_ns=at_ns)
    record = FrameRecord(
        camera=camera,
        stream="s",
        seq=n,
        t_ns=NOW_NS - SECOND_NS + at_ns,
        coil=None,
        position_mm=None,
        verdict=Verdict.CLEAN if reason is None else Verdict.NOT_INSPECTED,
        reason=reason,
        defects=(),
    )
    return message, record


def kept(n: int, *, camera: str = "top", payload: bytes = b"steel") -> KeptFrame:
    frame = keep(*shot(n, camera=camera, payload=payload))
    assert frame is not None
    return frame


def defect(number: int, *, camera: str = "top", begins_in: int) -> DefectEvent:
    """A defect that begins in that frame of `shot`."""
    return defect_event(
        defect_id=f"{number:032x}",
        camera=camera,
        captured_at=iso_utc(shot(begins_in)[1].t_ns or 0),
    )
