"""All that can run a bundle gives the same masks: ONNX Runtime, torch, and on a GPU plans.

What is compared is on which side of its threshold a cell lies: probabilities differ a little from
one arithmetic to another, and nobody sees them.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import Probabilities
from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.answers import count_above, thresholds_of
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.onnx_segmenter import load_onnx
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.simulation.strips import draw_strip
from tests.gpu.opening import open_plan, open_torch

MAX_DIFFERING_SHARE = 3e-4
"""Of all cells; float16 against float32 on these strips moved 6e-5 of a strip's at most."""
STRIPS = 8
BUNDLE = load_bundle(shipped_bundle())
THRESHOLDS = thresholds_of(BUNDLE)

Open = Callable[[ExitStack, Path], Segmenter]
BACKENDS: dict[str, Open] = {
    "onnx": lambda _stack, _cache: load_onnx(BUNDLE, threads=1),
    "torch-cpu": lambda _stack, _cache: open_torch(BUNDLE, device="cpu"),
    "torch-cuda": lambda _stack, _cache: open_torch(BUNDLE, device="cuda"),
    "torch-cuda-eager": lambda _stack, _cache: open_torch(BUNDLE, device="cuda", is_captured=False),
    "plan": lambda stack, cache: stack.enter_context(open_plan(BUNDLE, cache)),
}
ON_A_GPU = ("torch-cuda", "torch-cuda-eager", "plan")


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.gpu] * (name in ON_A_GPU)) for name in BACKENDS],
)
def backend(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Segmenter]:
    with ExitStack() as stack:
        yield BACKENDS[request.param](stack, tmp_path_factory.mktemp("plans"))


@pytest.fixture
def batch_sizes(request: pytest.FixtureRequest, backend: Segmenter) -> list[int]:
    """All that there are; on a CPU one is enough: it takes its time."""
    on_a_gpu = request.node.get_closest_marker("gpu") is not None
    return list(range(1, backend.max_batch + 1)) if on_a_gpu else [min(3, backend.max_batch)]


@pytest.fixture(scope="module")
def strips() -> list[GreyImage]:
    """Draw strips; the first is clean."""
    return [draw_strip(np.random.default_rng(seed))[0] for seed in range(STRIPS)]


@pytest.fixture(scope="module")
def expected(strips: list[GreyImage]) -> Probabilities:
    """Ask ONNX Runtime in float32, one strip at a time."""
    onnx = load_onnx(BUNDLE, threads=1)
    return np.concatenate([onnx.segment([strip]).fetch(slice(None)) for strip in strips])


def masks(planes: Probabilities) -> NDArray[np.bool_]:
    return planes > THRESHOLDS[:, None, None]


def test_it_knows_the_known_answer(backend: Segmenter) -> None:
    KnownAnswerTest.from_bundle(BUNDLE).run(backend)


def test_batches_of_every_size_give_the_masks_of_each_strip_alone(
    backend: Segmenter, batch_sizes: list[int], strips: list[GreyImage], expected: Probabilities
) -> None:
    assert masks(expected).any(axis=(1, 2, 3)).sum() > 1  # control: there is something to find
    for size in batch_sizes:
        answers = backend.segment(strips[:size])
        planes = answers.fetch(slice(None))
        share = np.mean(masks(planes) != masks(expected[:size]), axis=(1, 2, 3))
        assert share.max() <= MAX_DIFFERING_SHARE, f"batch of {size}"
        assert np.array_equal(answers.counts, count_above(planes, THRESHOLDS))


def test_a_clean_strip_counts_nothing_and_a_defective_one_something(
    backend: Segmenter, strips: list[GreyImage], expected: Probabilities
) -> None:
    clean = int(np.argmin(masks(expected).sum(axis=(1, 2, 3))))
    defective = int(np.argmax(masks(expected).sum(axis=(1, 2, 3))))
    assert not backend.segment([strips[clean]]).counts.any()
    assert backend.segment([strips[defective]]).counts.any()


def test_the_same_strip_gives_the_same_answer_wherever_it_lies_in_a_batch(
    backend: Segmenter, batch_sizes: list[int], strips: list[GreyImage]
) -> None:
    defective, clean = strips[1], strips[0]
    for size in batch_sizes:
        batch = [clean] * (size - 1) + [defective]
        answers = backend.segment(batch)
        last = answers.fetch(slice(size - 1, size))
        alone = backend.segment([defective]).fetch(slice(None))
        assert np.mean(masks(last) != masks(alone)) <= MAX_DIFFERING_SHARE
        assert not answers.counts[:-1].any()


def test_a_network_with_other_weights_is_no_parity(expected: Probabilities) -> None:
    """Negative control: what these tests compare tells two networks apart."""
    other = np.roll(expected, 4, axis=3)
    assert np.mean(masks(other) != masks(expected)) > 10 * MAX_DIFFERING_SHARE
