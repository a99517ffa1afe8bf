"""Rows that nobody saw: what lies between the books of a camera and the frame that has come."""

from edge_daemon.core.coverage_state import CoverageState
from edge_daemon.core.placement import Place
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.core.stretches import Stretch
from edge_daemon.core.wire import FrameHeader


def gap_before_stream(
    stream: str,
    place: Place,
    *,
    since_mm: float | None,
    reason: NotInspectedReason,
    now_ns: int,
) -> Stretch | None:
    """Rows of a stream before its first frame, None where there are none.

    Args:
        stream: its id.
        place: of its first frame.
        since_mm: how far the strip was seen before, where an encoder says so over a restart of the
            camera; what lies between is part of the gap, though no row counter has it.
        reason: why nobody saw them.
        now_ns: time of the booking, ns since 1970 UTC.
    """
    from_mm = place.position_mm
    if from_mm is not None and since_mm is not None:
        from_mm = min(since_mm, from_mm)
    unseen_mm = from_mm is not None and from_mm != place.position_mm
    if place.top_line == 0 and not unseen_mm:
        return None
    return Stretch(
        stream=stream,
        coil=None,
        reason=reason,
        from_line=0,
        to_line=place.top_line,
        lines=place.top_line,
        from_mm=from_mm if unseen_mm else place.row_mm(-place.top_line),
        to_mm=place.position_mm,
        since_ns=now_ns,
    )


def gap_in_stream(
    before: CoverageState,
    header: FrameHeader,
    place: Place,
    *,
    reason: NotInspectedReason,
    now_ns: int,
) -> Stretch | None:
    """Rows between the last frame on the books and a later one of its stream, None without any."""
    rows_missing = max(place.top_line - before.next_line, 0)
    # Frames are missing and the row counter goes on without a jump: it counts rows that were
    # sent, so only the frames' numbers tell. Where frames overlap, the counter alone does.
    is_uncounted = place.top_line == before.next_line
    frames_lost = header.seq - before.next_seq
    lines = frames_lost * place.height_px if is_uncounted else rows_missing
    if lines == 0:
        return None
    return Stretch(
        stream=header.stream,
        coil=header.coil if header.coil == before.coil else None,
        reason=reason,
        from_line=before.next_line,
        to_line=before.next_line + rows_missing,
        lines=lines,
        from_mm=before.next_mm,
        to_mm=place.position_mm,
        since_ns=now_ns,
    )


def rows_beyond(line: int, header: FrameHeader, place: Place, *, now_ns: int) -> Stretch:
    """A frame's rows from one on, that won't be looked at."""
    return Stretch(
        stream=header.stream,
        coil=None,
        reason=NotInspectedReason.LOST,
        from_line=line,
        to_line=place.end_line,
        lines=place.end_line - line,
        from_mm=place.row_mm(line - place.top_line),
        to_mm=place.end_mm,
        since_ns=now_ns,
    )
