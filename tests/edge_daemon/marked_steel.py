"""Grey steel with bright and dark marks, and a deterministic network that sees nothing else."""

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.picture_quality import PictureRules
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.placement import Scale
from edge_daemon.core.records import ClassMask
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.errors import EngineError, FrameError, RejectReason
from edge_daemon.inference.answers import check_probabilities, count_above
from edge_daemon.inference.batching import segment_frames
from edge_daemon.inference.segmenter import Answers
from edge_daemon.outcomes import Facts, Message, Outcome
from edge_daemon.pipeline import MOST_CAMERAS, Answer, Inspector
from edge_daemon.preparing import Preparer, Ready

SOUND, BRIGHT, DARK = 128, 255, 0
BREAKS, ANSWERS_NAN = 77, 78
"""Pixels that make the network fail, and answer NaN."""

SCRATCH = DefectClass(3, "scratch", 0.5, 64, "major")
PATCH = DefectClass(4, "patch", 0.5, 64, "critical")
CLASSES = (SCRATCH, PATCH)
STRIDE_PX = 4


class MarkFinder:
    """Bright cells are scratches, dark ones are patches."""

    def __init__(self, max_batch: int = 8) -> None:
        self.batches: list[int] = []
        self._max_batch = max_batch

    @property
    def stride_px(self) -> int:
        return STRIDE_PX

    @property
    def max_batch(self) -> int:
        return self._max_batch

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        self.batches.append(len(strips))
        cells = np.stack(strips)[:, ::STRIDE_PX, ::STRIDE_PX]
        if (cells == BREAKS).any():
            raise EngineError("out of order")
        marks = np.stack([cells == BRIGHT, cells == DARK], axis=1)
        answers = np.asarray(marks * np.float32(0.9), np.float32)
        answers[(cells == ANSWERS_NAN)[:, None].repeat(len(CLASSES), axis=1)] = np.nan
        check_probabilities(answers, answers.shape)
        thresholds = np.array([one.threshold for one in CLASSES], np.float32)
        return Answers(count_above(answers, thresholds), answers.__getitem__)


class LineInspector(Inspector):
    """An inspector that takes messages all the way, one after the other, on this thread."""

    def __init__(
        self,
        network: MarkFinder,
        *,
        scales: Mapping[str, Scale],
        only_known: bool,
        saved: Mapping[str, str],
        pictures: PictureRules | None,
        most_cameras: int,
    ) -> None:
        super().__init__(
            CLASSES,
            bundle="marks 1",
            scales=scales,
            saved=saved,
            stage=untimed,
            pictures=pictures,
            most_cameras=most_cameras,
        )
        self.network = network
        self.preparer = preparer(scales if only_known else None, pictures)

    def inspect(self, message: Message, *, left_out: RejectReason | None = None) -> Outcome:
        if left_out is not None:
            message = replace(message, left_out=FrameError(left_out, "by a test"))
        prepared = self.preparer.prepare(message)
        answer: Answer = None
        if isinstance(prepared, Ready):
            try:
                (answer,) = segment_frames(self.network, [prepared.strips])
            except EngineError as error:
                answer = error
        return self.settle(prepared, answer)


def untimed(_stage: str) -> AbstractContextManager[None]:
    return nullcontext()


def preparer(
    cameras: Container[str] | None = None, pictures: PictureRules | None = None
) -> Preparer:
    return Preparer(stride_px=STRIDE_PX, cameras=cameras, stage=untimed, pictures=pictures)


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
    pictures: PictureRules | None = None,
    most_cameras: int = MOST_CAMERAS,
) -> LineInspector:
    """Drawn steel has no noise, so its pictures are judged only where a test wants it."""
    return LineInspector(
        MarkFinder() if network is None else network,
        scales={} if scales is None else scales,
        only_known=only_known,
        saved={} if saved is None else saved,
        pictures=pictures,
        most_cameras=most_cameras,
    )


def unreadable() -> Message:
    """What a file that can't be read is to the pipeline."""
    error = FrameError(RejectReason.UNREADABLE, "the file is empty")
    return Message((), 0, left_out=error, source="broken.png")


def mask_of(outcome: Outcome) -> ClassMask:
    """Class ids per pixel of a frame that was inspected."""
    mask = outcome.paint_mask()
    assert mask is not None
    return mask


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
