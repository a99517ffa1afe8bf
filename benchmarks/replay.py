"""`replay --speed max` beside a bare loop over the same network on the same strips and threads."""

import time
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Final

from benchmarks.machine import describe_machine
from benchmarks.pairs import Comparison, Turn, in_pairs
from benchmarks.report import Report
from edge_daemon.bench.frames import draw_clean_strips, draw_strips, messages
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.wire import Codec
from edge_daemon.engine import load_engine
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.recordings.writing import RecordingWriter
from edge_daemon.replay.session import ReplayRequest, run_replay
from edge_daemon.settings import Config

PACKAGES: Final = ("onnxruntime", "numpy", "opencv-python-headless")
DIFFERENT_STRIPS: Final = 20
NOTES: Final = (
    "a replay reads the recording, decodes, inspects, writes a line per frame; loading isn't timed",
    "three strips in five have a defect, but for the clean ones",
    "at 1.00 all of that would cost nothing",
)


def compare_replay(folder: Path, *, frames: int, rounds: int) -> Report:
    """Measure for each codec.

    Args:
        folder: empty, for recordings and what comes of them.
        frames: per turn.
        rounds: pairs.
    """
    mixed, clean = (
        list(islice(cycle(draw(DIFFERENT_STRIPS)), frames))
        for draw in (draw_strips, draw_clean_strips)
    )
    cases = (
        ("raw, clean", Codec.RAW, clean),
        ("raw", Codec.RAW, mixed),
        ("jpeg", Codec.JPEG, mixed),
        ("png", Codec.PNG, mixed),
    )
    with load_engine(None, device="auto") as engine:
        _bare(engine.segmenter, mixed)()  # wakes caches and threads
        return Report(
            "replay",
            "strip",
            {"frames": frames, "rounds": rounds, "network": engine.name},
            describe_machine(PACKAGES),
            tuple(
                Comparison(
                    f"replay, {name}",
                    "bare loop",
                    *in_pairs(
                        _replay(_record(images, codec, folder / f"{name}.mcap")),
                        _bare(engine.segmenter, images),
                        rounds=rounds,
                        rest_s=0.2,
                    ),
                )
                for name, codec, images in cases
            ),
            notes=NOTES,
        )


def _record(images: Sequence[GreyImage], codec: Codec, path: Path) -> Path:
    with RecordingWriter(path, overwrite=True, sync_every_s=None) as writer:
        for message in messages(images, codec, stream="replay"):
            writer.write(message.parts, message.received_ns)
    return path


def _replay(recording: Path) -> Turn:
    request = ReplayRequest((recording,), jsonl=recording.with_suffix(".jsonl"))

    def turn() -> float:
        summary = run_replay(request, Config(), progress=lambda _done, _total: None)
        return summary.seconds / summary.frames

    return turn


def _bare(segmenter: Segmenter, images: Sequence[GreyImage]) -> Turn:
    def turn() -> float:
        began = time.perf_counter()
        for image in images:
            segmenter.segment([image]).fetch(slice(None))
        return (time.perf_counter() - began) / len(images)

    return turn
