"""What goes into the way of a frame, and what comes out of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_daemon.core.defects import Region, paint
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.line import News
from edge_daemon.core.picture_quality import PictureFault
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.records import ClassMask, FrameDefect, FrameRecord, Verdict
from edge_daemon.core.wire import Frame, Part
from edge_daemon.errors import EngineError, FrameError, RejectReason

_BOOKED_AS = {
    RejectReason.PAYLOAD_SIZE: NotInspectedReason.DECODE_ERROR,
    RejectReason.CRC32: NotInspectedReason.DECODE_ERROR,
    RejectReason.DECODE: NotInspectedReason.DECODE_ERROR,
    RejectReason.STALE: NotInspectedReason.STALE,
    RejectReason.DROPPED: NotInspectedReason.DROPPED,
    RejectReason.RATE: NotInspectedReason.DROPPED,
    RejectReason.UNREADABLE: NotInspectedReason.UNREADABLE,
    RejectReason.IMAGE_QUALITY: NotInspectedReason.IMAGE_QUALITY,
}


@dataclass(frozen=True, slots=True)
class Message:
    """What came in, untouched.

    Attributes:
        parts: the ZeroMQ message parts.
        received_ns: when, ns since 1970 UTC.
        arrived_monotonic_ns: when, on the monotonic clock; None in a replay.
        left_out: why it won't be looked at, where that was decided before; its rows are booked.
        source: file or recording that it was read from; empty where a camera sent it.
    """

    parts: Sequence[Part]
    received_ns: int
    arrived_monotonic_ns: int | None = None
    left_out: FrameError | None = None
    source: str = ""

    @property
    def sender(self) -> str:
        """Whose it is, as far as that can be said without believing it: its first part."""
        return bytes(self.parts[0][:64]).decode("utf-8", "replace") if self.parts else ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What has to be told and kept.

    Attributes:
        announcements: for the plant, in order.
        state: documents to make durable in the same breath; None deletes one.
        news: counts, for the metrics.
        camera: whose frame it was, None where no camera is behind it.
    """

    announcements: tuple[Announcement, ...] = ()
    state: Mapping[str, str | None] = field(default_factory=dict)
    news: News = field(default_factory=News)
    camera: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a message.

    Attributes:
        record: the verdict.
        facts: what has to be told and kept.
        image: the frame in grey, None where it was not inspected.
        regions: its parts of defects, None where it was not inspected.
        repeated_lines: rows at its top that the frame before has shown; regions count from there.
        rejected: why the frame was refused, None where it wasn't.
        unfit: what is wrong with its picture, where that is why.
        fault: the engine's failure; the process has to leave once the facts are durable.
    """

    record: FrameRecord
    facts: Facts = field(default_factory=Facts)
    image: GreyImage | None = None
    regions: tuple[Region, ...] | None = None
    repeated_lines: int = 0
    rejected: FrameError | None = None
    unfit: PictureFault | None = None
    fault: EngineError | None = None

    def paint_mask(self) -> ClassMask | None:
        """Class ids per pixel, (H, W) uint8, 0 elsewhere; None where it was not inspected.

        Painted when asked: the daemon never needs it.
        """
        if self.image is None or self.regions is None:
            return None
        height_px, width_px = self.image.shape
        above = self.repeated_lines
        mask = paint(self.regions, height_px=height_px - above, width_px=width_px)
        return np.pad(mask, ((above, 0), (0, 0)))


def booked_as(error: FrameError | EngineError) -> NotInspectedReason:
    """How the rows are booked of a frame that couldn't be inspected."""
    if isinstance(error, EngineError):
        return NotInspectedReason.ENGINE_FAULT
    return _BOOKED_AS.get(error.reason, NotInspectedReason.REJECTED)


def judge(
    frame: Frame | None,
    position_mm: float | None,
    *,
    reason: str | None = None,
    defects: tuple[FrameDefect, ...] = (),
) -> FrameRecord:
    """Judge a frame: not inspected if there is a reason, else defective if there are defects."""
    verdict = Verdict.DEFECTIVE if defects else Verdict.CLEAN
    header = None if frame is None else frame.header
    return FrameRecord(
        camera=None if frame is None else frame.camera,
        stream=None if header is None else header.stream,
        seq=None if header is None else header.seq,
        t_ns=None if header is None else header.t_ns,
        coil=None if header is None else header.coil,
        position_mm=position_mm,
        verdict=verdict if reason is None else Verdict.NOT_INSPECTED,
        reason=reason,
        defects=defects,
    )
