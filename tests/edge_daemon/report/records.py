"""Records to make reports of."""

from dataclasses import replace

from edge_daemon.core.records import FrameDefect, FrameRecord, Verdict

DEFECT = FrameDefect(
    id="d1",
    class_id=3,
    class_name="scratch",
    score=0.93,
    severity="major",
    area_px=120,
    bbox_xywh=(40, 10, 30, 8),
)
CLEAN = FrameRecord("top-1", "s1", 0, 0, "C1001", 0.0, Verdict.CLEAN)


def clean(seq: int, *, coil: str | None = "C1001", stream: str = "s1") -> FrameRecord:
    return replace(CLEAN, seq=seq, coil=coil, stream=stream, position_mm=128.0 * seq)


def defective(seq: int, *defects: FrameDefect) -> FrameRecord:
    return replace(clean(seq), verdict=Verdict.DEFECTIVE, defects=defects or (DEFECT,))


def blind(seq: int | None, reason: str = "stale") -> FrameRecord:
    if seq is None:
        return FrameRecord(None, None, None, None, None, None, Verdict.NOT_INSPECTED, reason)
    return replace(clean(seq), verdict=Verdict.NOT_INSPECTED, reason=reason)
