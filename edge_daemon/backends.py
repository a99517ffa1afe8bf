"""Chooses what runs a bundle's network on this box.

    device   there is                               the network runs
    cpu                                             in ONNX Runtime
    auto     no GPU                                 in ONNX Runtime
    auto     a GPU and a plan in the cache          as that plan
    auto     a GPU and no plan yet                  in torch on the GPU where that is installed,
                                                    else in ONNX Runtime; a plan is built beside it
    cuda     as auto, but no GPU is an error

Nothing of CUDA, TensorRT or torch is imported where it isn't used.
"""

import importlib.util
import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_daemon.cuda.device import GpuDescription, describe_gpu, load_cuda
from edge_daemon.cuda.errors import NoGpuError, PlanError
from edge_daemon.errors import ConfigurationError
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.onnx_segmenter import load_onnx
from edge_daemon.inference.plan_segmenter import PlanSegmenter
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.plans.building import find_plan
from edge_daemon.plans.cache import read_record
from edge_daemon.plans.faults import NoPlanError
from edge_daemon.plans.flavours import load_flavour
from edge_daemon.plans.resolving import PlanRequest

ONNX_RUNTIME: Final = "onnxruntime"
TORCH: Final = "torch"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Backend:
    """What runs the network.

    Attributes:
        segmenter: runs it.
        runtime: onnxruntime, torch, tensorrt or tensorrt_rtx.
        device: the processor or the GPU's name.
        missing_plan: why there is no plan to run though there is a GPU; None where none is wanted.
    """

    segmenter: Segmenter
    runtime: str
    device: str = "CPU"
    missing_plan: str | None = None


def open_plan(bundle: Bundle, plan: Path, exits: ExitStack) -> tuple[Segmenter, str]:
    """Load a plan of the cache onto the GPU; returns it and the name of its runtime.

    Raises:
        NoTensorRtError: what made it isn't installed any more.
        PlanError: it can't be used.
        CudaError: the GPU fails.
    """
    flavour = read_record(plan).key.flavour
    segmenter = PlanSegmenter(bundle, plan, tensorrt=load_flavour(flavour), cuda=load_cuda())
    return exits.enter_context(segmenter), flavour.value


def load_torch_on_gpu(bundle: Bundle) -> Segmenter | None:
    """The network in torch on the GPU, None where no torch is installed that can use it.

    Raises:
        CudaError: the GPU fails.
    """
    if importlib.util.find_spec("torch") is None:
        return None
    from edge_daemon.inference.torch_segmenter import load_torch  # noqa: PLC0415 - seconds, gigabytes

    try:
        return load_torch(bundle, device="cuda")
    except NoGpuError as trouble:  # a torch for another driver, or for none
        _LOG.warning("torch is installed and can't be used: %s", trouble)
        return None


@dataclass(frozen=True, slots=True)
class Ways:
    """How to get at what a GPU needs; tests on a box without one put their own in place.

    Attributes:
        find_gpu: says which GPU there is; NoGpuError where there is none.
        find_plan: gives a plan that may be run.
        open_plan: loads it.
        load_torch: gives the network in torch on the GPU; None where torch isn't installed.
    """

    find_gpu: Callable[[], GpuDescription] = describe_gpu
    find_plan: Callable[[Bundle, PlanRequest], Path] = find_plan
    open_plan: Callable[[Bundle, Path, ExitStack], tuple[Segmenter, str]] = open_plan
    load_torch: Callable[[Bundle], Segmenter | None] = load_torch_on_gpu


REAL_WAYS: Final = Ways()


def choose_backend(
    bundle: Bundle,
    *,
    device: str,
    threads: int,
    request: PlanRequest,
    exits: ExitStack,
    ways: Ways = REAL_WAYS,
) -> Backend:
    """Load what runs best.

    Args:
        bundle: the checked bundle.
        device: auto, cpu or cuda.
        threads: CPU threads; 0 leaves the choice to the runtime.
        request: which plan would be run.
        exits: what has to be closed in the end.
        ways: how to get at the GPU.

    Raises:
        ConfigurationError: cuda is asked for and there is no GPU.
        CudaError: there is a GPU and it fails.
        BundleError: the network can't be loaded.
    """
    gpu = None if device == "cpu" else _find_gpu(ways, is_required=device == "cuda")
    if gpu is None:
        return Backend(load_onnx(bundle, threads=threads), ONNX_RUNTIME)
    try:
        segmenter, runtime = ways.open_plan(bundle, ways.find_plan(bundle, request), exits)
    except (NoPlanError, PlanError) as trouble:
        missing = str(trouble)
    else:
        return Backend(segmenter, runtime, gpu.name)
    on_gpu = ways.load_torch(bundle)
    if on_gpu is not None:
        return Backend(on_gpu, TORCH, gpu.name, missing)
    return Backend(load_onnx(bundle, threads=threads), ONNX_RUNTIME, missing_plan=missing)


def _find_gpu(ways: Ways, *, is_required: bool) -> GpuDescription | None:
    try:
        return ways.find_gpu()
    except NoGpuError as error:
        if is_required:
            raise ConfigurationError(f'[bundle] device = "cuda": {error}') from error
        return None
