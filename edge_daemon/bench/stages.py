"""Each stage of a frame's way alone, strip by strip; the median forgives a noisy machine."""

import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from edge_daemon.bench.frames import draw_strips, messages
from edge_daemon.clock import SystemClock
from edge_daemon.core.pixels import GreyImage, decode
from edge_daemon.core.wire import Codec, parse
from edge_daemon.engine import Engine
from edge_daemon.inference.batching import segment_frames
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.outcomes import Message, Outcome
from edge_daemon.pipeline import Inspector
from edge_daemon.preparing import Preparer, Ready
from edge_daemon.storage.outbox import Outbox

_BATCHES: Final = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class StageResult:
    """Milliseconds per strip, medians over all strips.

    Attributes:
        stage_ms: by stage; what comes after the network stands there twice, for strips in which
            it saw something and for those in which it didn't.
        clean_share: finding and booking of a clean strip, in parts of the network's time.
        defective_share: the same of a defective one.
    """

    stage_ms: Mapping[str, float]
    clean_share: float
    defective_share: float


class Stopwatch:
    """Collects how long each stage took."""

    def __init__(self) -> None:
        self._taken_s: dict[str, list[float]] = defaultdict(list)

    @contextmanager
    def time(self, stage: str, *, strips: int = 1) -> Iterator[None]:
        """Time a block, per strip."""
        began = time.perf_counter()
        yield
        self._taken_s[stage].append((time.perf_counter() - began) / strips)

    def milliseconds(self) -> dict[str, float]:
        """Median of each stage."""
        return {stage: 1000 * statistics.median(taken) for stage, taken in self._taken_s.items()}


def measure_stages(engine: Engine, *, strips: int) -> StageResult:
    """Measure each stage by itself.

    Args:
        engine: loaded, on the device to be measured.
        strips: how many different ones.
    """
    watch = Stopwatch()
    images = draw_strips(strips)
    _time_decoding(images, watch)
    _time_batches(engine.segmenter, images, watch)
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as folder:
        _time_way(engine, messages(images, Codec.RAW, stream="stages"), watch, Path(folder))
    stage_ms = watch.milliseconds()
    network_ms = stage_ms["network, batch 1"]
    shares = [
        sum(stage_ms.get(f"{stage}, {kind}", 0.0) for stage in ("find", "book")) / network_ms
        for kind in ("clean", "defective")
    ]
    return StageResult(stage_ms, *shares)


def _time_decoding(images: list[GreyImage], watch: Stopwatch) -> None:
    for codec in Codec:
        for message in messages(images, codec, stream="decoding"):
            with watch.time(f"decode {codec.value}"):
                decode(parse(message.parts))


def _time_batches(segmenter: Segmenter, images: list[GreyImage], watch: Stopwatch) -> None:
    for batch in (size for size in _BATCHES if size <= segmenter.max_batch):
        segmenter.segment([images[0]] * batch)  # the first of a size may cost more
        for first in range(0, len(images) - batch + 1, batch):
            with watch.time(f"network, batch {batch}", strips=batch):
                segmenter.segment(images[first : first + batch])


def _time_way(engine: Engine, frames: list[Message], watch: Stopwatch, folder: Path) -> None:
    """What comes before and after the network, frame by frame."""
    kind = ["clean"]

    def stage(name: str) -> AbstractContextManager[None]:
        return watch.time(f"{name}, {kind[0]}") if name in {"find", "book"} else nullcontext()

    inspector = Inspector(
        engine.bundle.classes, bundle=engine.name, scales={}, saved={}, stage=stage
    )
    preparer = Preparer(
        stride_px=engine.segmenter.stride_px, cameras=None, stage=lambda _name: nullcontext()
    )
    with Outbox(folder / "outbox.sqlite3", SystemClock()) as outbox:
        for message in frames:
            with watch.time("read, decode, cut"):
                prepared = preparer.prepare(message)
            if not isinstance(prepared, Ready):
                continue
            (answer,) = segment_frames(engine.segmenter, [prepared.strips])
            kind[0] = "clean" if answer is None else "defective"
            answer = None if answer is None else np.asarray(answer)
            _store(outbox, inspector.settle(prepared, answer), watch)


def _store(outbox: Outbox, outcome: Outcome, watch: Stopwatch) -> None:
    with watch.time("store (other thread)"):
        outbox.commit(outcome.facts.announcements, outcome.facts.state)
