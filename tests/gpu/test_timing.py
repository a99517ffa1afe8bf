"""That what is timed is done, and done often enough for a median. How long it takes is no test."""

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
from edge_daemon.core.pixels import GreyImage
from edge_daemon.inference.segmenter import Answers
from tests.edge_daemon.cuda.fake_cuda import FakeCuda
from tests.edge_daemon.inference.fake_plan import BUNDLE, Fakes
from tests.gpu.timing import RUNS, WARM_UP_RUNS, PartTimes, time_calls, time_pair, time_parts


class Counting:
    """Looks at nothing and counts how often it is asked, and by whom."""

    stride_px, max_batch = 4, 8

    def __init__(self) -> None:
        self.threads: list[int] = []

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        self.threads.append(threading.get_ident())
        counts = np.zeros((len(strips), 4), np.int32)
        return Answers(counts, lambda _: np.zeros((0, 4, 64, 400), np.float32))


def test_a_call_is_timed_many_times_after_warming_up() -> None:
    segmenter = Counting()
    assert time_calls(segmenter, []) > 0
    assert len(segmenter.threads) == WARM_UP_RUNS + RUNS


def test_a_pair_works_in_threads_of_their_own() -> None:
    one, other = Counting(), Counting()
    assert time_pair(one, other, []) > 0
    assert len(one.threads) == len(other.threads) == 2 * RUNS
    assert one.threads[-1] != threading.get_ident()


@pytest.mark.parametrize("is_integrated", [False, True])
def test_a_plan_is_taken_apart_over_a_fake_gpu(tmp_path: Path, *, is_integrated: bool) -> None:
    """The times are the fake's; that network and copies are told apart is not."""
    fakes = Fakes(tmp_path, FakeCuda(is_integrated=is_integrated))
    parts = time_parts(BUNDLE, fakes.plan, tensorrt=fakes.trt, cuda=fakes.cuda, batch=2)
    runs = WARM_UP_RUNS + RUNS + 1
    assert fakes.trt.batches == [2] * 2 * runs
    assert len(fakes.cuda.copied) == (0 if is_integrated else 2 * 3 * runs)
    assert parts == PartTimes(network=1.0, copies=0.0 if is_integrated else 1.0, graph=1.0)
    assert not fakes.cuda.live
