"""What runs the network, by device and by what is there. The GPU's side stands in by hand."""

from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn

import pytest

from edge_daemon.backends import Backend, Ways, choose_backend
from edge_daemon.cuda.device import GpuDescription
from edge_daemon.cuda.errors import CudaError, NoGpuError, PlanError
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import ConfigurationError
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.plans.faults import NoTensorRtError
from edge_daemon.plans.resolving import PlanRequest
from tests.edge_daemon.marked_steel import MarkFinder

BUNDLE = load_bundle(shipped_bundle())
GPU = GpuDescription("NVIDIA Test", "8.9", "580 (CUDA 13.0)")
PLAN, TORCH = MarkFinder(), MarkFinder()


def no_gpu() -> NoReturn:
    raise NoGpuError("cudaGetDeviceProperties", "cudaErrorNoDevice")


def broken_gpu() -> NoReturn:
    raise CudaError("cudaGetDeviceProperties", "cudaErrorEccUncorrectable")


def no_plan(_bundle: Bundle, _request: PlanRequest) -> NoReturn:
    raise NoTensorRtError("no TensorRT is installed")


def foreign_plan(_bundle: Bundle, _plan: Path, _exits: ExitStack) -> NoReturn:
    raise PlanError("a plan of another GPU")


def opened(_bundle: Bundle, plan: Path, _exits: ExitStack) -> tuple[Segmenter, str]:
    return PLAN, plan.stem


WITH_ALL = Ways(
    find_gpu=lambda: GPU,
    find_plan=lambda _bundle, _request: Path("tensorrt.plan"),
    open_plan=opened,
    load_torch=lambda _bundle: TORCH,
)


def choose(device: str, ways: Ways) -> Backend:
    with ExitStack() as exits:
        return choose_backend(
            BUNDLE, device=device, threads=1, request=PlanRequest(), exits=exits, ways=ways
        )


def changed(**fields: object) -> Ways:
    names = ("find_gpu", "find_plan", "open_plan", "load_torch")
    ways = {name: getattr(WITH_ALL, name) for name in names}
    return Ways(**{**ways, **fields})


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_plan_that_is_there_runs_on_its_gpu(device: str) -> None:
    backend = choose(device, WITH_ALL)
    assert (backend.segmenter, backend.runtime, backend.device) == (PLAN, "tensorrt", GPU.name)
    assert backend.missing_plan is None


@pytest.mark.parametrize("device", ["auto", "cuda"])
@pytest.mark.parametrize(
    ("ways", "why"),
    [
        (changed(find_plan=no_plan), "no TensorRT is installed"),
        (changed(open_plan=foreign_plan), "a plan of another GPU"),
    ],
    ids=["missing", "foreign"],
)
def test_without_a_plan_torch_runs_and_why_is_kept(device: str, ways: Ways, why: str) -> None:
    backend = choose(device, ways)
    assert (backend.segmenter, backend.runtime) == (TORCH, "torch")
    assert backend.missing_plan == why


def test_without_plan_and_torch_the_processor_runs_and_a_plan_is_missed() -> None:
    backend = choose("auto", changed(find_plan=no_plan, load_torch=lambda _bundle: None))
    assert (backend.runtime, backend.device) == ("onnxruntime", "CPU")
    assert backend.missing_plan == "no TensorRT is installed"


def test_without_a_gpu_no_plan_is_missed() -> None:
    assert choose("auto", changed(find_gpu=no_gpu)).missing_plan is None
    with pytest.raises(ConfigurationError, match=r'device = "cuda": .*no NVIDIA GPU is visible'):
        choose("cuda", changed(find_gpu=no_gpu))


def test_the_processor_can_be_asked_for_whatever_else_there_is() -> None:
    assert choose("cpu", WITH_ALL).runtime == "onnxruntime"


def test_a_gpu_that_fails_is_a_fault_and_no_reason_to_do_without() -> None:
    with pytest.raises(CudaError):
        choose("auto", changed(find_gpu=broken_gpu))
