"""Strips of several frames through one segmenter, in batches that it takes."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities
from edge_daemon.inference.segmenter import Segmenter

FrameStrips: TypeAlias = Sequence[GreyImage]
"""The strips of one frame, (256, 1600) uint8 each, in the order of its tiling."""


def segment_frames(
    segmenter: Segmenter,
    frames: Sequence[FrameStrips],
    *,
    beat: Callable[[], None] = lambda: None,
) -> list[Probabilities | None]:
    """Look at the strips of some frames, those of several in one batch.

    Args:
        segmenter: runs the network.
        frames: of each its strips.
        beat: called between batches: a large frame takes many, and is no stall.

    Returns:
        For each frame (N, K, h, w) float32, or None where no cell of any of its strips lies above a
        threshold: it is clean, and its probabilities were not fetched.

    Raises:
        EngineError: the network failed.
    """
    owners = [number for number, strips in enumerate(frames) for _ in strips]
    strips = [strip for each in frames for strip in each]
    parts: list[list[Probabilities]] = [[] for _ in frames]
    above = [False] * len(frames)
    for first in range(0, len(strips), segmenter.max_batch):
        batch = slice(first, min(first + segmenter.max_batch, len(strips)))
        answers = segmenter.segment(strips[batch])
        hit = np.asarray(answers.counts.any(axis=1))
        for number, own in _runs(owners[batch]):
            above[number] |= bool(hit[own].any())
            # Strips of one frame are averaged where they overlap, so a defect in one may need
            # what a clean one says; a frame of a single clean strip needs nothing.
            if hit[own].any() or len(frames[number]) > own.stop - own.start:
                parts[number].append(answers.fetch(own))
        if batch.stop < len(strips):
            beat()
    return [
        (found[0] if len(found) == 1 else np.concatenate(found)) if is_above else None
        for found, is_above in zip(parts, above, strict=True)
    ]


def _runs(owners: Sequence[int]) -> list[tuple[int, slice]]:
    """Neighbours with the same owner, as (owner, their range)."""
    starts = [i for i, owner in enumerate(owners) if i == 0 or owner != owners[i - 1]]
    return [
        (owners[start], slice(start, end))
        for start, end in zip(starts, [*starts[1:], len(owners)], strict=True)
    ]
