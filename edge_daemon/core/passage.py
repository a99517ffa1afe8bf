"""A frame that passes a camera, and what it changed."""

from collections import Counter
from dataclasses import dataclass, field

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.messages import DurableBody
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.stretches import Stretch
from edge_daemon.core.tracking import Origin


@dataclass(slots=True)
class News:
    """What one frame changed.

    Attributes:
        bodies: facts to tell, in order.
        frames_lost: frames that the numbers say are missing.
        streams_resumed: streams that had ended with a restart of the camera and went on after all,
            or began again under their name: two cameras send under one id.
        lines_inspected: rows booked as inspected.
        lines_not_inspected: rows booked as not inspected, by reason.
        defects: classes of the defects that ended.
    """

    bodies: list[DurableBody] = field(default_factory=list)
    frames_lost: int = 0
    streams_resumed: int = 0
    lines_inspected: int = 0
    lines_not_inspected: Counter[NotInspectedReason] = field(default_factory=Counter)
    defects: list[DefectClass] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Passage:
    """A frame passing a camera.

    Attributes:
        position_mm: of its first row along the strip, where known.
        repeated_lines: rows at its top that the frame before has shown already; they aren't
            looked at again.
        origin: where the rest of it lies on the strip.
        now_ns: when it was received, ns since 1970 UTC.
    """

    position_mm: float | None
    repeated_lines: int
    origin: Origin
    now_ns: int

    def stretch(self, reason: NotInspectedReason) -> Stretch:
        """Its rows, less those that the frame before has shown, as not inspected."""
        origin, place = self.origin, self.origin.place
        return Stretch(
            stream=origin.stream,
            coil=origin.coil,
            reason=reason,
            from_line=place.top_line,
            to_line=place.end_line,
            lines=place.height_px,
            from_mm=place.position_mm,
            to_mm=place.end_mm,
            since_ns=self.now_ns,
        )
