"""Grey steel with bright and dark marks, and a deterministic network that sees nothing else."""

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

import numpy as np

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.placement import Scale
from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.errors import EngineError
from edge_daemon.outcomes import Facts, Message
from edge_daemon.pipeline import Inspector

SOUND, BRIGHT, DARK = 128, 255, 0
BREAKS, ANSWERS_NAN = 77, 78
"""Pixels that make the network fail, and answer NaN."""

SCRATCH = DefectClass(3, "scratch", 0.5, 64, "major")
PATCH = DefectClass(4, "patch", 0.5, 64, "critical")
CLASSES = (SCRATCH, PATCH)
STRIDE_PX = 4


class MarkFinder:
    """Bright cells are scratches, dark ones are patches."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    @property
    def stride_px(self) -> int:
        return STRIDE_PX

    def segment(self, strips: Strips) -> Probabilities:
        self.batches.append(len(strips))
        cells = strips[:, 0, ::STRIDE_PX, ::STRIDE_PX]
        if (cells == BREAKS).any():
            raise EngineError("out of order")
        answers = np.stack([cells == BRIGHT, cells == DARK], axis=1) * np.float32(0.9)
        answers[(cells == ANSWERS_NAN)[:, None].repeat(len(CLASSES), axis=1)] = np.nan
        return np.asarray(answers, np.float32)


def steel(height: int = 256, width: int = 64, value: int = SOUND) -> GreyImage:
    return np.full((height, width), value, np.uint8)


def message(
    image: GreyImage,
    *,
    camera: str = "top",
    received_ns: int = 10**18,
    payload: bytes | None = None,
    **fields: Any,  # noqa: ANN401 - whatever a header takes
) -> Message:
    """Send an image raw; `payload` replaces its pixels, `fields` its header."""
    header = FrameHeader(
        **{
            "v": 1,
            "stream": "first",
            "seq": 0,
            "t_ns": received_ns,
            "width": image.shape[1],
            "height": image.shape[0],
            "format": PixelFormat.MONO8,
            "codec": Codec.RAW,
            **fields,
        }
    )
    return Message(
        encode(camera, header, image.tobytes() if payload is None else payload), received_ns
    )


def inspector(
    saved: Mapping[str, str] | None = None,
    *,
    scales: Mapping[str, Scale] | None = None,
    only_known: bool = False,
    network: MarkFinder | None = None,
) -> Inspector:
    return Inspector(
        MarkFinder() if network is None else network,
        CLASSES,
        bundle="marks 1",
        scales={} if scales is None else scales,
        only_known=only_known,
        saved={} if saved is None else saved,
        stage=lambda _name: nullcontext(),
    )


def documents(facts: Iterable[Facts]) -> dict[str, str]:
    """What is on disk once all these facts are."""
    kept: dict[str, str] = {}
    for each in facts:
        for key, text in each.state.items():
            if text is None:
                kept.pop(key, None)
            else:
                kept[key] = text
    return kept
