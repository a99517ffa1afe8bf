"""Draws a synthetic line into a recording, with the truth beside it.

The ``truth`` channel has JSON objects, each behind the frame that it is about:

- ``{"kind": "frame", "stream", "seq", "coil", "masks": {"3": "12 5 ..."}}`` for each frame with a
  defect: its pixels by class, as run lengths (`edge_daemon.core.rle`)
- ``{"kind": "coil", "coil", "first_line", "rows", "defects": [...]}`` behind a coil's last frame:
  every defect on it, with the fields of `edge_daemon.simulation.line.TrueDefect`
"""

import hashlib
import json
import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_daemon.core.rle import encode as encode_runs
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.errors import SourceError
from edge_daemon.recordings.sources import check_camera_id
from edge_daemon.recordings.writing import RecordingWriter
from edge_daemon.simulation.line import SyntheticFrame, SyntheticLine, TrueDefect

BEGIN_NS = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
_TRANSFER_NS = 2_000_000
_NS_PER_S = 1_000_000_000
_MM_PER_M = 1000.0
_BEST_QUALITY = 100


@dataclass(frozen=True, slots=True)
class SimulationSettings:
    """What to draw; equal values give equal bytes.

    Attributes:
        line: the line and its coils.
        camera: id of the camera above it.
        codec: how frames travel; JPEG is smaller, but no longer exactly what was drawn.
        jpeg_quality: 1 to 100.
        speed_m_per_s: of the strip; gives the frames their times.
    """

    line: SyntheticLine = field(default_factory=SyntheticLine)
    camera: str = "top-1"
    codec: Codec = Codec.PNG
    jpeg_quality: int = 92
    speed_m_per_s: float = 2.0


@dataclass(frozen=True, slots=True)
class SimulatedSummary:
    """What was drawn.

    Attributes:
        frames: how many.
        coils: that are whole.
        defects: on those coils.
    """

    frames: int = 0
    coils: int = 0
    defects: int = 0


def count_simulated(settings: SimulationSettings) -> int:
    """Frames that `write_simulated` will draw."""
    return settings.line.coils * settings.line.frames_per_coil


def write_simulated(
    path: Path,
    settings: SimulationSettings,
    *,
    overwrite: bool = True,
    progress: Callable[[SimulatedSummary], None] | None = None,
) -> SimulatedSummary:
    """Draw a line into a recording.

    Args:
        path: the recording.
        settings: what to draw.
        overwrite: replace what is there.
        progress: called after every frame.

    Raises:
        SourceError: a setting is out of its range.
        RecordingError: the file can't be written.
    """
    frames = _checked_frames(settings)
    camera = _Camera(settings)
    defects: list[TrueDefect] = []
    summary = SimulatedSummary()
    with RecordingWriter(path, overwrite=overwrite, sync_every_s=None) as writer:
        writer.write_metadata("simulation", {"settings": _to_json(settings)})
        for seq, frame in enumerate(frames):
            header, payload = camera.expose(frame, seq)
            received_ns = header.t_ns + camera.exposure_ns + _TRANSFER_NS
            writer.write(encode(settings.camera, header, payload), received_ns)
            if frame.mask.any():
                writer.write_truth(_frame_truth(frame, header))
            defects += frame.finished
            if frame.is_last_of_coil:
                writer.write_truth(_coil_truth(frame, defects))
                defects.clear()
            summary = _add(summary, frame)
            if progress is not None:
                progress(summary)
    return summary


class _Camera:
    """Turns what was drawn into what a camera would send."""

    def __init__(self, settings: SimulationSettings) -> None:
        line = settings.line
        self._settings = settings
        self._stream = hashlib.sha256(_to_json(settings).encode()).hexdigest()[:24]
        row_s = line.mm_per_px_along / (settings.speed_m_per_s * _MM_PER_M)
        self.exposure_ns = round(line.height * row_s * _NS_PER_S)

    def expose(self, frame: SyntheticFrame, seq: int) -> tuple[FrameHeader, bytes]:
        """Header and payload of a frame."""
        payload = self._pack(frame)
        height, width = frame.image.shape
        header = FrameHeader(
            v=1,
            stream=self._stream,
            seq=seq,
            t_ns=BEGIN_NS + seq * self.exposure_ns,
            width=width,
            height=height,
            format=PixelFormat.MONO8,
            codec=self._settings.codec,
            first_line=frame.first_line,
            encoder_mm=frame.position_mm,
            coil=frame.coil,
            crc32=zlib.crc32(payload),
        )
        return header, payload

    def _pack(self, frame: SyntheticFrame) -> bytes:
        if self._settings.codec is Codec.RAW:
            return frame.image.tobytes()
        if self._settings.codec is Codec.PNG:
            return cv2.imencode(".png", frame.image)[1].tobytes()
        options = [cv2.IMWRITE_JPEG_QUALITY, self._settings.jpeg_quality]
        return cv2.imencode(".jpg", frame.image, options)[1].tobytes()


def _checked_frames(settings: SimulationSettings) -> Iterator[SyntheticFrame]:
    """The line's frames; the first is drawn at once, for that is when the line is checked."""
    check_camera_id(settings.camera)
    if not 0 < settings.speed_m_per_s < math.inf:
        raise SourceError(f"the strip's speed has to be above 0, got {settings.speed_m_per_s} m/s")
    if not 1 <= settings.jpeg_quality <= _BEST_QUALITY:
        raise SourceError(f"JPEG quality is 1 to {_BEST_QUALITY}, got {settings.jpeg_quality}")
    frames = settings.line.frames()
    try:
        first = next(frames)
    except ValueError as error:
        raise SourceError(f"this line can't be simulated: {error}") from error
    return chain([first], frames)


def _frame_truth(frame: SyntheticFrame, header: FrameHeader) -> dict[str, Any]:
    classes = np.unique(frame.mask[frame.mask > 0]).tolist()
    return {
        "kind": "frame",
        "stream": header.stream,
        "seq": header.seq,
        "coil": frame.coil,
        "masks": {str(class_id): encode_runs(frame.mask == class_id) for class_id in classes},
    }


def _coil_truth(last: SyntheticFrame, defects: Sequence[TrueDefect]) -> dict[str, Any]:
    rows = last.coil_row + len(last.image)
    return {
        "kind": "coil",
        "coil": last.coil,
        "first_line": last.first_line - last.coil_row,
        "rows": rows,
        "defects": [asdict(defect) for defect in defects],
    }


def _add(summary: SimulatedSummary, frame: SyntheticFrame) -> SimulatedSummary:
    return SimulatedSummary(
        summary.frames + 1,
        summary.coils + frame.is_last_of_coil,
        summary.defects + len(frame.finished),
    )


def _to_json(settings: SimulationSettings) -> str:
    return json.dumps(asdict(settings), sort_keys=True)
