"""Frames to measure with: simulated strips, three in five with a defect, packed in any codec."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import cv2
import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.records import ClassMask
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.outcomes import Message
from edge_daemon.simulation.strips import draw_strip

_ENDINGS: Final = {Codec.JPEG: ".jpg", Codec.PNG: ".png"}


def draw_strips(count: int) -> list[GreyImage]:
    """The same (256, 1600) strips each time, three in five with a defect."""
    return [image for image, _ in islice(_drawn(), count)]


def draw_clean_strips(count: int) -> list[GreyImage]:
    """The same each time, without defects but with what looks like some."""
    return list(islice((image for image, mask in _drawn() if not mask.any()), count))


def _drawn() -> Iterator[tuple[GreyImage, ClassMask]]:
    rng = np.random.default_rng(0)
    while True:
        yield draw_strip(rng)


def pack(image: GreyImage, codec: Codec) -> bytes:
    """A frame's payload."""
    if codec is Codec.RAW:
        return image.tobytes()
    return cv2.imencode(_ENDINGS[codec], image)[1].tobytes()


def header_of(image: GreyImage, codec: Codec, *, seq: int, stream: str) -> FrameHeader:
    """The header of a frame that was exposed `seq` milliseconds after 1970."""
    return FrameHeader(
        v=1,
        stream=stream,
        seq=seq,
        t_ns=seq * 1_000_000,
        width=image.shape[1],
        height=image.shape[0],
        format=PixelFormat.MONO8,
        codec=codec,
    )


def messages(images: Sequence[GreyImage], codec: Codec, *, stream: str) -> list[Message]:
    """The messages of frames that follow each other."""
    return [
        Message(
            encode("bench", header_of(image, codec, seq=seq, stream=stream), pack(image, codec)),
            received_ns=seq,
        )
        for seq, image in enumerate(images)
    ]


def header_bytes(header: FrameHeader, seq: int) -> bytes:
    """A header with another number, without checking all of it again."""
    fields = json.loads(header.model_dump_json(exclude_none=True))
    return json.dumps(fields | {"seq": seq, "t_ns": seq * 1_000_000}).encode()
