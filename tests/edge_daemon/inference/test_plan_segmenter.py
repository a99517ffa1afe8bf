"""The runner's buffers, graphs and answers, over a FAKE of CUDA and of TensorRT.

What a real GPU says is in tests/gpu.
"""

from pathlib import Path

import numpy as np
import pytest

from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.errors import EngineError
from edge_daemon.inference.answers import count_above, thresholds_of
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.onnx_segmenter import load_onnx
from tests.edge_daemon.cuda.fake_cuda import FakeCuda, tally
from tests.edge_daemon.cuda.fake_tensorrt import Network
from tests.edge_daemon.inference.fake_plan import (
    BUNDLE,
    COUNTS_BYTES,
    PLANES_BYTES,
    STRIP_BYTES,
    VALID_BYTES,
    Fakes,
    brightness,
    grey,
    planes_of,
)


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    return Fakes(tmp_path)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 7, 8])
def test_counts_and_planes_are_those_of_each_strip_alone(fakes: Fakes, count: int) -> None:
    levels = [250 - 30 * number for number in range(count)]
    with fakes.segmenter() as segmenter:
        answers = segmenter.segment([grey(level) for level in levels])
        planes = answers.fetch(slice(None))
    assert np.array_equal(planes, planes_of(*levels))
    assert np.array_equal(answers.counts, count_above(planes, thresholds_of(BUNDLE)))
    assert answers.counts.dtype == np.int32
    assert answers.counts.any()


@pytest.mark.parametrize(("count", "bucket"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8)])
def test_a_batch_between_two_sizes_takes_the_larger_one(
    fakes: Fakes, count: int, bucket: int
) -> None:
    with fakes.segmenter() as segmenter:
        fakes.trt.batches.clear()
        segmenter.segment([grey(9)] * count)
    assert fakes.trt.batches == [bucket]


def test_places_left_over_hold_old_strips_that_nobody_hears_of(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        segmenter.segment([grey(255)] * 4)
        answers = segmenter.segment([grey(0)] * 3)
        assert answers.counts.shape == (3, 4)
        assert not answers.counts.any()
        assert answers.fetch(slice(None)).shape == (3, 4, 64, 400)


def test_one_graph_is_captured_for_each_batch_size_and_none_later(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        assert fakes.cuda.count("cudaStreamBeginCapture") == 4
        assert fakes.cuda.count("cudaGraphInstantiate") == 4
        assert len(fakes.trt.contexts) == 4
        before = tally(fakes.cuda)
        for count in (1, 2, 3, 8):
            segmenter.segment([grey(3)] * count)
        after = tally(fakes.cuda) - before
    assert after == {
        "cudaSetDevice": 4,
        "cudaGraphLaunch": 4,
        "cudaEventRecord": 4,
        "cudaEventSynchronize": 4,
    }


def test_a_graph_holds_the_strips_copy_the_network_and_the_counts_copies(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        fakes.cuda.copied.clear()
        segmenter.segment([grey(200)] * 3)
    assert fakes.cuda.copied == [
        ("up", 4 * STRIP_BYTES),
        ("down", 4 * COUNTS_BYTES),
        ("down", 4 * VALID_BYTES),
    ]


def test_planes_are_copied_only_for_the_strips_that_are_asked_for(fakes: Fakes) -> None:
    levels = (10, 250, 10, 240, 20)
    with fakes.segmenter() as segmenter:
        answers = segmenter.segment([grey(level) for level in levels])
        fakes.cuda.copied.clear()
        second, last = answers.fetch(slice(1, 2)), answers.fetch(slice(3, None))
        assert fakes.cuda.copied == [("down", PLANES_BYTES), ("down", 2 * PLANES_BYTES)]
    assert np.array_equal(second, planes_of(250))
    assert np.array_equal(last, planes_of(240, 20))


def test_asking_for_no_strips_copies_nothing(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        answers = segmenter.segment([grey(250)])
        fakes.cuda.copied.clear()
        assert answers.fetch(slice(1, 1)).shape == (0, 4, 64, 400)
        assert fakes.cuda.copied == []


def test_planes_are_the_callers_own(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        planes = segmenter.segment([grey(250)]).fetch(slice(None))
        segmenter.segment([grey(10)]).fetch(slice(None))
    assert np.array_equal(planes, planes_of(250))


def test_planes_of_an_earlier_batch_are_refused(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        first = segmenter.segment([grey(250)])
        second = segmenter.segment([grey(10)])
        with pytest.raises(EngineError, match="earlier batch"):
            first.fetch(slice(None))
    with pytest.raises(EngineError, match="earlier batch"):
        second.fetch(slice(None))
    assert first.counts.any()


def test_on_a_gpu_that_shares_the_hosts_memory_nothing_is_copied(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, FakeCuda(is_integrated=True))
    with fakes.segmenter() as segmenter:
        answers = segmenter.segment([grey(250), grey(20)])
        assert np.array_equal(answers.fetch(slice(None)), planes_of(250, 20))
        assert fakes.cuda.count("cudaMemcpyAsync") == 0
        assert fakes.cuda.count("cudaMalloc") == 1  # what the network computes in
    assert not fakes.cuda.live


def with_value(value: float) -> Network:
    def network(strips: Strips) -> Probabilities:
        planes = brightness(strips)
        planes[strips[:, 0, 0, 0] == 77, 3, 5, 6] = value
        return planes

    return network


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.01, 1.01])
def test_one_answer_that_is_no_probability_is_an_engine_error(tmp_path: Path, value: float) -> None:
    with Fakes(tmp_path, network=with_value(value)).segmenter() as segmenter:
        assert segmenter.segment([grey(10), grey(20), grey(30)]).counts.shape == (3, 4)
        with pytest.raises(EngineError, match=r"for strip 2 of 3 only 102399 are a probability"):
            segmenter.segment([grey(10), grey(155), grey(30)])


def test_a_bad_answer_for_a_left_over_strip_is_nobodys_concern(tmp_path: Path) -> None:
    with Fakes(tmp_path, network=with_value(float("nan"))).segmenter() as segmenter:
        with pytest.raises(EngineError):
            segmenter.segment([grey(10), grey(10), grey(10), grey(155)])
        assert not segmenter.segment([grey(10)] * 3).counts.any()


def test_two_segmenters_share_no_memory(tmp_path: Path) -> None:
    cuda = FakeCuda()
    one, other = Fakes(tmp_path, cuda), Fakes(tmp_path, cuda)
    with one.segmenter() as left, other.segmenter() as right:
        bright, dark = left.segment([grey(250)]), right.segment([grey(10)])
        assert np.array_equal(bright.fetch(slice(None)), planes_of(250))
        assert np.array_equal(dark.fetch(slice(None)), planes_of(10))
        used = [set(each.trt.contexts[0].addresses.values()) for each in (one, other)]
        assert not used[0] & used[1]
    assert not cuda.live


def test_it_can_be_opened_again(fakes: Fakes) -> None:
    segmenter = fakes.segmenter()
    for _ in range(2):
        with segmenter:
            assert segmenter.max_batch == 8
            assert segmenter.segment([grey(250)]).counts.any()
        assert not fakes.cuda.live
    assert segmenter.max_batch == 0


def test_a_strip_that_is_a_view_with_gaps_is_taken(fakes: Fakes) -> None:
    frame = np.zeros((256, 4000), np.uint8)
    frame[:, 1000:2600] = grey(250)
    with fakes.segmenter() as segmenter:
        planes = segmenter.segment([frame[:, 1000:2600]]).fetch(slice(None))
    assert np.array_equal(planes, planes_of(250))


def test_the_profile_made_for_a_batch_size_is_preferred(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, profiles=[(1, 8, 8), (1, 1, 1), (1, 4, 4)])
    with fakes.segmenter():
        chosen = [context._profile for context in fakes.trt.contexts]  # noqa: SLF001 - the fake's
    assert chosen == [(1, 1, 1), (1, 8, 8), (1, 4, 4), (1, 8, 8)]


def test_a_plan_for_small_batches_takes_small_batches(tmp_path: Path) -> None:
    with Fakes(tmp_path, profiles=[(1, 2, 2)]).segmenter() as segmenter:
        assert segmenter.max_batch == 2
        with pytest.raises(EngineError, match="3 strips were given; up to 2 are taken"):
            segmenter.segment([grey(1)] * 3)


def test_the_known_answer_comes_through_buffers_and_graphs(tmp_path: Path) -> None:
    onnx = load_onnx(BUNDLE, threads=1)

    def network(strips: Strips) -> Probabilities:
        """Only the first is asked for, and a network on the CPU takes its time."""
        planes = np.zeros((len(strips), 4, 64, 400), np.float32)
        planes[0] = onnx.segment(strips[0]).fetch(slice(None))[0]
        return planes

    with Fakes(tmp_path, network=network, profiles=[(1, 1, 1)]).segmenter() as segmenter:
        assert KnownAnswerTest.from_bundle(BUNDLE).run(segmenter) < 0.01
