"""Batches on a real GPU, beside what tests/edge_daemon/inference/test_parity.py holds them to."""

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import EngineError
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.simulation.strips import draw_strip
from tests.gpu.opening import open_plan

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(600)]
BUNDLE = load_bundle(shipped_bundle())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plans")


def drawn(count: int) -> list[GreyImage]:
    return [draw_strip(np.random.default_rng(seed))[0] for seed in range(count)]


def test_the_same_batch_gives_the_same_answer_to_the_bit(cache: Path) -> None:
    strips = drawn(8)
    with open_plan(BUNDLE, cache) as segmenter:
        first = segmenter.segment(strips)
        counts, planes = first.counts, first.fetch(slice(None))
        for _ in range(50):
            again = segmenter.segment(strips)
            assert np.array_equal(again.counts, counts)
            assert np.array_equal(again.fetch(slice(None)), planes)


def test_places_left_over_from_a_larger_batch_change_nothing(cache: Path) -> None:
    strips = drawn(8)
    with open_plan(BUNDLE, cache) as segmenter:
        before = segmenter.segment(strips[:3]).counts
        segmenter.segment(strips[::-1])
        assert np.array_equal(segmenter.segment(strips[:3]).counts, before)


def test_two_segmenters_side_by_side_keep_apart(cache: Path) -> None:
    strips = drawn(2)
    with open_plan(BUNDLE, cache) as one, open_plan(BUNDLE, cache) as other:
        left, right = one.segment(strips[:1]), other.segment(strips[1:])
        assert not left.counts.any()
        assert right.counts.any()
        assert left.fetch(slice(None)).max() < right.fetch(slice(None)).max()


def test_after_it_is_closed_nothing_is_asked_of_the_gpu(cache: Path) -> None:
    with open_plan(BUNDLE, cache) as segmenter:
        answers = segmenter.segment(drawn(1))
    with pytest.raises(EngineError):
        answers.fetch(slice(None))
    with pytest.raises(EngineError):
        segmenter.segment(drawn(1))
