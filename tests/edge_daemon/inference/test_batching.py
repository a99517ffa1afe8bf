"""Strips of several frames in the batches that a segmenter takes."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, strategies as st

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities
from edge_daemon.errors import EngineError
from edge_daemon.inference.batching import segment_frames
from tests.edge_daemon.marked_steel import BREAKS, BRIGHT, SOUND, MarkFinder


def strip(mark: int) -> GreyImage:
    image = np.full((256, 1600), SOUND, np.uint8)
    image[:8, :8] = mark
    return image


def alone(image: GreyImage) -> Probabilities:
    return MarkFinder().segment([image]).fetch(slice(1))


@given(
    frames=st.lists(st.lists(st.booleans(), min_size=1, max_size=5), max_size=6),
    max_batch=st.integers(1, 8),
)
def test_every_frame_gets_what_its_strips_give_alone_or_nothing_where_all_are_clean(
    frames: list[list[bool]], max_batch: int
) -> None:
    images: list[Sequence[GreyImage]] = [
        [strip(BRIGHT if marked else SOUND) for marked in frame] for frame in frames
    ]
    network = MarkFinder(max_batch)
    answers = segment_frames(network, images)
    assert max(network.batches, default=0) <= max_batch
    for frame, strips, answer in zip(frames, images, answers, strict=True):
        if answer is None:
            assert not any(frame)
        else:
            assert np.array_equal(answer, np.concatenate([alone(image) for image in strips]))


def test_batches_are_filled_across_frames() -> None:
    network = MarkFinder(max_batch=4)
    segment_frames(network, [[strip(SOUND)] * 3, [strip(SOUND)] * 3, [strip(SOUND)] * 2])
    assert network.batches == [4, 4]


def test_it_says_that_it_lives_between_batches() -> None:
    beats: list[None] = []
    segment_frames(MarkFinder(2), [[strip(SOUND)] * 6], beat=lambda: beats.append(None))
    assert len(beats) == 2


def test_a_fault_of_the_network_is_no_answer() -> None:
    with pytest.raises(EngineError):
        segment_frames(MarkFinder(1), [[strip(SOUND)], [strip(BREAKS)]])
