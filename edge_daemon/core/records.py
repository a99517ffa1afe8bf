"""What was found out about one frame: the record that `replay --jsonl` writes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

ClassMask: TypeAlias = NDArray[np.uint8]
"""(H, W) uint8: 0 where the strip is sound, else the class id."""


class Verdict(StrEnum):
    """The only three answers; unknown is never clean."""

    CLEAN = "clean"
    DEFECTIVE = "defective"
    NOT_INSPECTED = "not_inspected"


@dataclass(frozen=True, slots=True)
class FrameDefect:
    """The part of a defect that lies in one frame.

    Attributes:
        id: identity of the whole defect, shared by all frames it runs over.
        class_id: the class's number in the bundle.
        class_name: its name there.
        score: mean probability of the part's pixels, 0..1.
        severity: minor, major or critical.
        area_px: pixels in this frame.
        bbox_xywh: left column, top row, columns, rows in this frame.
        position_mm: of the part's first row along the strip; with the scale only, as what follows.
        across_mm: of its left edge across the strip.
        length_mm: along the strip, in this frame.
        width_mm: across the strip.
        area_mm2: of the pixels.
    """

    id: str
    class_id: int
    class_name: str
    score: float
    severity: str
    area_px: int
    bbox_xywh: tuple[int, int, int, int]
    position_mm: float | None = None
    across_mm: float | None = None
    length_mm: float | None = None
    width_mm: float | None = None
    area_mm2: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The contract's fields; millimetres only where they are known."""
        fields: dict[str, Any] = {
            "id": self.id,
            "class_id": self.class_id,
            "class": self.class_name,
            "score": self.score,
            "severity": self.severity,
            "area_px": self.area_px,
            "bbox_xywh": list(self.bbox_xywh),
        }
        lengths = ("position_mm", "across_mm", "length_mm", "width_mm", "area_mm2")
        return fields | {k: v for k in lengths if (v := getattr(self, k)) is not None}


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """A frame's verdict.

    Attributes:
        camera: the camera's id; None where the message didn't even give that, as what follows.
        stream: of the camera's start.
        seq: of the frame.
        t_ns: exposure of the first row.
        coil: id of the coil.
        position_mm: of the first row along the strip, where known.
        verdict: clean, defective or not inspected.
        reason: why it was not inspected, else None.
        defects: parts of defects in this frame.
    """

    camera: str | None
    stream: str | None
    seq: int | None
    t_ns: int | None
    coil: str | None
    position_mm: float | None
    verdict: Verdict
    reason: str | None = None
    defects: tuple[FrameDefect, ...] = ()

    def to_json(self, source: str) -> dict[str, Any]:
        """One object of `--jsonl`; `source` is the file or recording it came from."""
        return {
            "source": source,
            "camera": self.camera,
            "stream": self.stream,
            "seq": self.seq,
            "t_ns": self.t_ns,
            "coil": self.coil,
            "position_mm": self.position_mm,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "defects": [defect.to_json() for defect in self.defects],
        }
