"""`edge-daemon bench`: what the pipeline costs beside the bare network, and the line it can follow.

The bare loop and the whole way of a frame take turns in the same process, so that a noisy machine
slows both alike; what counts is their ratio, pair by pair.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.engine import Engine
from edge_daemon.outcomes import Message
from edge_daemon.pipeline import Inspector
from edge_daemon.replay.summary import StageTimes
from edge_daemon.simulation.strips import draw_strip


@dataclass(frozen=True, slots=True)
class BenchResult:
    """What was measured.

    Attributes:
        strips: strips per round, all different, simulated, raw Mono8.
        rounds: pairs of rounds.
        bare_strips_per_s: the network alone on prepared arrays, median of the rounds.
        pipeline_strips_per_s: message in, verdict out, median of the rounds.
        ratio: pipeline to bare, median of the pairs.
        stage_ms: mean milliseconds per strip of each stage of the pipeline.
        line_m_per_s: speed that one camera of 1600 columns can follow.
        mm_per_px: millimetres per row that this speed assumes.
    """

    strips: int
    rounds: int
    bare_strips_per_s: float
    pipeline_strips_per_s: float
    ratio: float
    stage_ms: dict[str, float]
    line_m_per_s: float
    mm_per_px: float

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def bench(engine: Engine, *, strips: int, rounds: int, mm_per_px: float) -> BenchResult:
    """Measure an engine.

    Args:
        engine: loaded, on the device to be measured.
        strips: how many per round.
        rounds: how many pairs of rounds.
        mm_per_px: millimetres per row, for the line speed.
    """
    rng = np.random.default_rng(0)
    images = [draw_strip(rng)[0] for _ in range(strips)]
    stage_s: dict[str, float] = defaultdict(float)
    bare_s, pipeline_s = [], []
    _time_bare(engine, images[:4])  # warms caches and thread pools up
    for number in range(rounds):
        bare_s.append(_time_bare(engine, images))
        pipeline_s.append(_time_pipeline(engine, _messages(images, number), stage_s))
    per_strip = 1000.0 / (strips * rounds)
    speed = strips / statistics.median(pipeline_s)
    return BenchResult(
        strips=strips,
        rounds=rounds,
        bare_strips_per_s=strips / statistics.median(bare_s),
        pipeline_strips_per_s=speed,
        ratio=statistics.median(b / p for b, p in zip(bare_s, pipeline_s, strict=True)),
        stage_ms={name: seconds * per_strip for name, seconds in stage_s.items()},
        line_m_per_s=speed * images[0].shape[0] * mm_per_px / 1000.0,
        mm_per_px=mm_per_px,
    )


def _messages(images: Sequence[GreyImage], number: int) -> list[Message]:
    return [
        Message(
            encode(
                "bench",
                FrameHeader(
                    v=1,
                    stream=str(number),
                    seq=seq,
                    t_ns=seq,
                    width=image.shape[1],
                    height=image.shape[0],
                    format=PixelFormat.MONO8,
                    codec=Codec.RAW,
                ),
                image.tobytes(),
            ),
            received_ns=seq,
        )
        for seq, image in enumerate(images)
    ]


def _time_bare(engine: Engine, images: Sequence[GreyImage]) -> float:
    began = time.perf_counter()
    for image in images:
        engine.segmenter.segment(image[None, None])
    return time.perf_counter() - began


def _time_pipeline(engine: Engine, messages: Sequence[Message], stage_s: dict[str, float]) -> float:
    inspector = Inspector(
        engine.segmenter,
        engine.bundle.classes,
        bundle=engine.name,
        scales={},
        only_known=False,
        saved={},
        stage=StageTimes(stage_s),
    )
    began = time.perf_counter()
    for message in messages:
        inspector.inspect(message)
    return time.perf_counter() - began
