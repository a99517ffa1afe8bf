"""A bundle's program in torch on the CPU; what it does on a GPU is in tests/gpu."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage
from edge_daemon.cuda.errors import NoGpuError
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import BundleError, EngineError
from edge_daemon.inference.answers import count_above, thresholds_of
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.known_answer import KnownAnswerTest

torch = pytest.importorskip("torch", reason="torch is not installed")
from edge_daemon.inference.torch_segmenter import (  # noqa: E402 - only with torch
    TorchSegmenter,
    load_torch,
)
from tests.edge_daemon.inference.programs import write_brightness  # noqa: E402 - only with torch

BUNDLE = load_bundle(shipped_bundle())
POISON = 77
"""Where the first pixel is this grey, the program of these tests answers something else."""


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of tests that run beside each other would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> TorchSegmenter:
    """Load a program that says how bright strips are, and NaN where they are poisoned."""
    return load_torch(brightness(tmp_path_factory.mktemp("quick")), device="cpu")


def brightness(folder: Path, value: float = float("nan")) -> Bundle:
    write_brightness(folder / "model.pt2", poison=POISON, value=value)
    return dataclasses.replace(BUNDLE, directory=folder)


def grey(level: int) -> GreyImage:
    return np.full((256, 1600), level, np.uint8)


@pytest.fixture(scope="module")
def shipped() -> TorchSegmenter:
    return load_torch(BUNDLE, device="cpu")


def test_the_shipped_network_knows_its_known_answer(shipped: TorchSegmenter) -> None:
    KnownAnswerTest.from_bundle(BUNDLE).run(shipped)
    assert shipped.stride_px == 4


@pytest.mark.parametrize("count", [1, 3, 8])
def test_counts_are_those_of_the_planes(quick: TorchSegmenter, count: int) -> None:
    answers = quick.segment([grey(255 - 20 * number) for number in range(count)])
    planes = answers.fetch(slice(None))
    assert planes.shape == (count, 4, 64, 400)
    assert planes.dtype == np.float32
    assert np.array_equal(answers.counts, count_above(planes, thresholds_of(BUNDLE)))
    assert answers.counts.dtype == np.int32
    assert answers.counts[0].any()


def test_planes_of_some_strips_are_those_strips(quick: TorchSegmenter) -> None:
    answers = quick.segment([grey(level) for level in (10, 100, 200)])
    some = answers.fetch(slice(1, 3))
    assert some[:, 0, 0, 0] == pytest.approx([100 / 255, 200 / 255])


def test_planes_are_the_callers_own(quick: TorchSegmenter) -> None:
    answers = quick.segment([grey(200)])
    answers.fetch(slice(None))[:] = 0
    assert answers.fetch(slice(None)).max() > 0.5


def test_planes_of_an_earlier_batch_are_refused(quick: TorchSegmenter) -> None:
    answers = quick.segment([grey(200)])
    quick.segment([grey(20)])
    with pytest.raises(EngineError, match="earlier batch"):
        answers.fetch(slice(None))


def test_a_program_that_answers_nan_is_an_engine_error(quick: TorchSegmenter) -> None:
    quick.segment([grey(1), grey(2), grey(3)])
    with pytest.raises(EngineError, match=r"strip 2 of 3 only 0 are a probability"):
        quick.segment([grey(1), grey(POISON), grey(3)])


@pytest.mark.parametrize("value", [float("inf"), -0.25, 1.5])
def test_a_program_that_answers_no_probability_is_an_engine_error(
    tmp_path: Path, value: float
) -> None:
    segmenter = load_torch(brightness(tmp_path, value), device="cpu")
    with pytest.raises(EngineError, match="are a probability"):
        segmenter.segment([grey(POISON)])


@pytest.mark.parametrize(
    "strips",
    [[], [grey(1)] * 9, [grey(1)[:1]], [grey(1)[:, :1]]],
    ids=["none", "nine", "one row", "one column"],
)
def test_what_is_no_batch_of_strips_is_refused(
    quick: TorchSegmenter, strips: list[GreyImage]
) -> None:
    with pytest.raises(EngineError, match="strip"):
        quick.segment(strips)


def test_a_program_of_another_grid_is_an_engine_error(tmp_path: Path) -> None:
    write_brightness(tmp_path / "model.pt2", poison=POISON, value=0.0, classes=3)
    segmenter = load_torch(dataclasses.replace(BUNDLE, directory=tmp_path), device="cpu")
    with pytest.raises(EngineError, match="torch failed"):
        segmenter.segment([grey(1)])


@pytest.mark.parametrize("content", [b"", b"no program", None], ids=["empty", "other", "missing"])
def test_a_file_that_is_no_program_is_refused_with_the_remedy(
    tmp_path: Path, content: bytes | None
) -> None:
    if content is not None:
        (tmp_path / "model.pt2").write_bytes(content)
    with pytest.raises(BundleError, match=r"model\.pt2: torch .* can't read it"):
        load_torch(dataclasses.replace(BUNDLE, directory=tmp_path), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_is_said_so() -> None:
    with pytest.raises(NoGpuError, match=r"torch\.cuda\.is_available failed"):
        load_torch(BUNDLE, device="cuda")
