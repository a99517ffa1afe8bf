"""From what a caller asks for to exactly one plan."""

import importlib.metadata
import importlib.util
import platform
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.cuda.device import describe_gpu
from edge_daemon.cuda.errors import NoGpuError
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.manifest import INT8, ONNX
from edge_daemon.plans.faults import NoPlanError, NoTensorRtError
from edge_daemon.plans.fingerprint import (
    ANY_STRIPS,
    NOTHING,
    ONE_STRIP,
    RECIPE,
    Builder,
    Flavour,
    GpuIdentity,
    PlanKey,
    Precision,
)
from edge_daemon.plans.flavours import choose_flavour, load_flavour

NETWORK_FILES = {Precision.FP16: ONNX, Precision.INT8: INT8}


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What plan a caller wants; None leaves the choice.

    Attributes:
        builder: default TensorRT's ONNX parser, or torch-tensorrt where that is installed and the
            package `onnx` isn't.
        flavour: default TensorRT where it is installed and there is a GPU, else TensorRT-RTX.
        precision: what the network shall compute in.
        cache: folder of plans; default that of systemd or of the user.
        force: build anew even if there is a good plan.
    """

    builder: Builder | None = None
    flavour: Flavour | None = None
    precision: Precision = Precision.FP16
    cache: Path | None = None
    force: bool = False


def read_gpu() -> GpuIdentity:
    """The GPU that plans are for; one with no name where there is none.

    Raises:
        CudaError: there is one, but its driver fails.
    """
    try:
        found = describe_gpu()
    except NoGpuError:
        return GpuIdentity()
    return GpuIdentity(found.name, found.compute_capability, found.driver)


def resolve(bundle: Bundle, request: PlanRequest, *, gpu: GpuIdentity | None = None) -> PlanKey:
    """The one plan that a request means on this box.

    Args:
        bundle: the network.
        request: what is wanted.
        gpu: default the one that is found.

    Raises:
        NoTensorRtError: nothing here can build it.
        NoPlanError: the bundle has no network of that precision.
    """
    gpu = gpu or read_gpu()
    flavour = choose_flavour(request.flavour, gpu)
    builder = _choose_builder(request, flavour)
    if NETWORK_FILES[request.precision] not in bundle.manifest.files:
        raise NoPlanError(
            f"{bundle.directory} has no {NETWORK_FILES[request.precision]}, so there is no "
            f"{request.precision} plan; build fp16, or export the bundle with {request.precision}"
        )
    _, _, height, width = bundle.manifest.input.shape
    return PlanKey(
        recipe=RECIPE,
        bundle=bundle.fingerprint,
        precision=request.precision,
        strip_px=(height, width),
        # torch-tensorrt makes one profile only
        batches=(ANY_STRIPS,) if builder is Builder.TORCH else (ONE_STRIP, ANY_STRIPS),
        builder=builder,
        builder_version=_torch_tensorrt_version() if builder is Builder.TORCH else NOTHING,
        flavour=flavour,
        flavour_version=str(load_flavour(flavour).__version__),
        machine=platform.machine(),
        gpu=gpu.name,
        compute_capability=gpu.compute_capability,
        driver=gpu.driver,
    )


def _choose_builder(request: PlanRequest, flavour: Flavour) -> Builder:
    reason = _why_not_torch(request.precision, flavour)
    if request.builder is Builder.TORCH and reason:
        raise NoTensorRtError(f"{reason}; ask for the builder onnx, or for auto")
    if request.builder is None:
        # The parser's way is proven in CI, tells how far it is, and makes a profile for one strip.
        has_onnx = importlib.util.find_spec("onnx") is not None
        return Builder.ONNX if has_onnx or reason else Builder.TORCH
    return request.builder


def _why_not_torch(precision: Precision, flavour: Flavour) -> str | None:
    if flavour is not Flavour.TENSORRT:
        return f"torch-tensorrt builds plans of tensorrt, not of {flavour}"
    if precision is not Precision.FP16:
        return f"torch-tensorrt builds fp16 plans, not {precision}"
    # It is looked for, not imported: that takes seconds and a working CUDA driver.
    if importlib.util.find_spec("torch_tensorrt") is None:
        return "torch-tensorrt is not installed (pip install 'edge-daemon[tensorrt]')"
    return None


def _torch_tensorrt_version() -> str:
    return importlib.metadata.version("torch-tensorrt")
