"""How a defect is told: as a message to the plant, and as a part of a frame's record."""

from edge_daemon.core.defects import Region
from edge_daemon.core.envelope import iso_utc
from edge_daemon.core.messages import DefectEvent
from edge_daemon.core.placement import Place
from edge_daemon.core.reasons import Severity
from edge_daemon.core.records import FrameDefect
from edge_daemon.core.tracking import TrackedDefect

OPEN_DEFECT_TOLD_AFTER_MM = 2000.0
OPEN_DEFECT_TOLD_AFTER_LINES = 4096
"""Used where no scale is known: about two metres at half a millimetre a row."""


def defect_event(defect: TrackedDefect, *, is_open: bool, bundle: str) -> DefectEvent:
    """The message about a defect that has ended, or has grown so long that it is told before."""
    origin = defect.origin
    scale = origin.place.scale
    along = None if scale is None else scale.mm_per_px_along
    across = None if scale is None else scale.mm_per_px_across
    width_px = defect.right_px - defect.left_px
    return DefectEvent(
        defect_id=defect.id,
        open=is_open,
        camera=origin.camera,
        stream=origin.stream,
        coil=origin.coil,
        class_id=defect.defect_class.id,
        class_name=defect.defect_class.name,
        severity=Severity(defect.defect_class.severity),
        score=min(defect.score, 1.0),
        first_line=defect.first_line,
        last_line=defect.end_line - 1,
        left_px=defect.left_px,
        width_px=width_px,
        area_px=defect.area_px,
        captured_at=iso_utc(origin.t_ns),
        position_mm=origin.place.row_mm(defect.first_line - origin.place.top_line),
        across_mm=origin.place.column_mm(defect.left_px),
        length_mm=_times(defect.lines, along),
        width_mm=_times(width_px, across),
        area_mm2=_times(_times(defect.area_px, along), across),
        bundle=bundle,
    )


def _times(value: float | None, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * factor


def is_long(defect: TrackedDefect) -> bool:
    """Whether a defect that still grows has to be told now."""
    scale = defect.origin.place.scale
    if scale is None:
        return defect.lines >= OPEN_DEFECT_TOLD_AFTER_LINES
    return defect.lines * scale.mm_per_px_along >= OPEN_DEFECT_TOLD_AFTER_MM


def frame_defect(
    defect: TrackedDefect, region: Region, place: Place, *, rows_above: int
) -> FrameDefect:
    """The part of a defect that lies in one frame.

    Args:
        defect: the whole of it.
        region: the part, in rows of `place`.
        place: where the frame lies, less the rows that the frame before has shown.
        rows_above: how many those are.
    """
    x, y, w, h = region.bbox_xywh
    along = None if place.scale is None else place.scale.mm_per_px_along
    across = None if place.scale is None else place.scale.mm_per_px_across
    return FrameDefect(
        id=defect.id,
        class_id=region.defect_class.id,
        class_name=region.defect_class.name,
        score=round(region.score, 4),
        severity=region.defect_class.severity,
        area_px=region.area_px,
        bbox_xywh=(x, y + rows_above, w, h),
        position_mm=place.row_mm(y),
        across_mm=place.column_mm(x),
        length_mm=_times(h, along),
        width_mm=_times(w, across),
        area_mm2=_times(_times(region.area_px, along), across),
    )
