"""What the runner refuses, and what is left when a call fails: over a FAKE of CUDA and TensorRT."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.core.pixels import GreyImage
from edge_daemon.cuda.errors import CudaError, PlanError
from edge_daemon.errors import EngineError
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.plan_segmenter import PlanSegmenter
from tests.edge_daemon.cuda.fake_cuda import FakeCuda
from tests.edge_daemon.cuda.fake_tensorrt import CONTENT, Tensors
from tests.edge_daemon.inference.fake_plan import BUNDLE, TENSORS, Fakes, grey


@pytest.fixture
def fakes(tmp_path: Path) -> Fakes:
    return Fakes(tmp_path)


@pytest.mark.parametrize(
    "strips",
    [
        [],
        [grey(1)] * 9,
        [grey(1)[:1]],
        [grey(1)[0]],
        [grey(1).astype(np.float32)],
        [grey(1), np.zeros((256, 1601), np.uint8)],
    ],
    ids=["none", "nine", "one row", "a row", "type", "width"],
)
def test_what_is_no_batch_of_strips_is_refused(fakes: Fakes, strips: list[GreyImage]) -> None:
    with fakes.segmenter() as segmenter:
        launched = fakes.cuda.count("cudaGraphLaunch")
        with pytest.raises(EngineError, match="strip"):
            segmenter.segment(strips)
        assert fakes.cuda.count("cudaGraphLaunch") == launched


def test_a_plan_for_no_batch_of_ours_is_refused(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path, profiles=[(16, 16, 16)])
    with pytest.raises(PlanError, match="takes none of the batches"), fakes.segmenter():
        pass
    assert not fakes.cuda.live


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"strip": ("FLOAT", (-1, 1, 256, 1600), True)}, r"lacks 'strip'.*an input float32"),
        ({"strip": ("UINT8", (-1, 1, 128, 1600), True)}, r"uint8 \(N, 1, 128, 1600\)"),
        (
            {"probability": ("FLOAT", (-1, 4, 64, 400), False)},
            "lacks 'probability', an output float16",
        ),
        ({"probability": ("HALF", (-1, 5, 64, 400), False)}, r"float16 \(N, 5, 64, 400\)"),
        ({"valid": ("INT32", (-1, 1), False)}, r"lacks 'valid'.*an output int32 \(N, 1\)"),
        ({"mask": ("UINT8", (-1, 64, 400), False)}, "hasn't got an output uint8"),
    ],
)
def test_a_plan_of_another_bundle_is_refused_with_what_differs(
    tmp_path: Path, tensors: Tensors, said: str
) -> None:
    fakes = Fakes(tmp_path, tensors=TENSORS | tensors)
    with pytest.raises(PlanError, match=said), fakes.segmenter():
        pass
    assert not fakes.cuda.live


def test_a_plan_without_counts_is_refused(tmp_path: Path) -> None:
    tensors = {name: TENSORS[name] for name in ("strip", "probability", "valid")}
    with (
        pytest.raises(PlanError, match="lacks 'counts'"),
        Fakes(tmp_path, tensors=tensors).segmenter(),
    ):
        pass


def test_a_plan_that_is_missing_or_damaged_is_refused_with_the_remedy(fakes: Fakes) -> None:
    fakes.plan.write_bytes(CONTENT[:-1])
    with pytest.raises(PlanError, match=r"fake\.plan: TensorRT's deserialize.*edge-daemon compile"):
        fakes.segmenter().__enter__()
    fakes.plan.unlink()
    with pytest.raises(PlanError, match=r"fake\.plan: No such file"):
        fakes.segmenter().__enter__()
    assert not fakes.cuda.live


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        ("deserialize_cuda_engine", PlanError),
        ("create_execution_context", PlanError),
        ("set_tensor_address", PlanError),
        ("set_optimization_profile_async", CudaError),
        ("set_input_shape", CudaError),
        ("execute_async_v3", CudaError),
    ],
)
def test_what_tensorrt_refuses_is_said_with_its_reason(
    tmp_path: Path, call: str, kind: type[EngineError]
) -> None:
    fakes = Fakes(tmp_path, refused=[call])
    with pytest.raises(kind, match=f"TensorRT's {call} failed: because it is a fake"):
        fakes.segmenter().__enter__()
    assert not fakes.cuda.live


def test_a_cuda_failure_inside_tensorrt_is_a_cuda_error(tmp_path: Path) -> None:
    said = "Error Code 1: Cuda Runtime (out of memory)"
    fakes = Fakes(tmp_path, refused=["deserialize_cuda_engine"], said=said)
    with pytest.raises(CudaError, match="out of memory"):
        fakes.segmenter().__enter__()


def whole_life(fakes: Fakes) -> None:
    with fakes.segmenter() as segmenter:
        segmenter.segment([grey(250)] * 3).fetch(slice(0, 2))


@pytest.mark.parametrize("is_integrated", [False, True], ids=["discrete", "integrated"])
@pytest.mark.parametrize("is_sticky", [False, True], ids=["passing", "sticky"])
def test_whichever_call_fails_it_is_named_and_everything_is_given_back_once_in_order(
    tmp_path: Path, *, is_integrated: bool, is_sticky: bool
) -> None:
    good = Fakes(tmp_path, FakeCuda(is_integrated=is_integrated))
    whole_life(good)
    assert not good.cuda.live
    for number, call in enumerate(good.cuda.calls):
        cuda = FakeCuda(is_integrated=is_integrated, fail_at=number, is_sticky=is_sticky)
        with pytest.raises(CudaError) as caught:
            whole_life(Fakes(tmp_path, cuda))
        assert caught.value.call == call
        assert not cuda.live, f"after {call} ({number})"
        assert without_graphs(cuda.released) == without_graphs(cuda.taken)[::-1]


def without_graphs(handles: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Graphs go as soon as they are ready to launch, and that they go is asserted beside."""
    return [(kind, handle) for kind, handle in handles if kind != "graph"]


def test_what_the_plan_calls_its_tensors_does_not_matter(tmp_path: Path) -> None:
    fakes = Fakes(tmp_path)
    bundle = renamed(BUNDLE, "pixels")
    with PlanSegmenter(bundle, fakes.plan, tensorrt=fakes.trt, cuda=fakes.cuda) as segmenter:
        assert segmenter.segment([grey(1), grey(2)]).counts.shape == (2, 4)


def renamed(bundle: Bundle, name: str) -> Bundle:
    """A bundle whose network's input has another name."""
    manifest = bundle.manifest
    taken = manifest.input.model_copy(update={"name": name})
    return dataclasses.replace(bundle, manifest=manifest.model_copy(update={"input": taken}))
