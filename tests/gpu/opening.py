"""Backends that need a GPU, torch or TensorRT: opened, or the test is skipped with the reason."""

import threading
from pathlib import Path

import pytest

from edge_daemon.cuda.device import GpuDescription, describe_gpu, load_cuda
from edge_daemon.cuda.errors import NoGpuError
from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.plan_segmenter import PlanSegmenter
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.plans.building import build_plan
from edge_daemon.plans.faults import NoTensorRtError
from edge_daemon.plans.flavours import load_flavour
from edge_daemon.plans.resolving import PlanRequest, resolve


def need_gpu() -> GpuDescription:
    """The GPU of this machine."""
    try:
        return describe_gpu()
    except NoGpuError as error:
        pytest.skip(f"no GPU: {error}")


def open_torch(bundle: Bundle, *, device: str, is_captured: bool = True) -> Segmenter:
    """The torch backend."""
    if device == "cuda":
        need_gpu()
    pytest.importorskip("torch", reason="torch is not installed")
    # imported here: without torch these backends are skipped, not broken
    from edge_daemon.inference.torch_segmenter import load_torch  # noqa: PLC0415 - as said

    return load_torch(bundle, device="cuda" if device == "cuda" else "cpu", is_captured=is_captured)


def open_plan(bundle: Bundle, cache: Path) -> PlanSegmenter:
    """A plan built for this machine's GPU, in a cache of its own."""
    need_gpu()
    request = PlanRequest(cache=cache)
    try:
        flavour = load_flavour(resolve(bundle, request).flavour)
    except NoTensorRtError as error:
        pytest.skip(f"no TensorRT: {error}")
    plan = build_plan(bundle, request, stop=threading.Event())
    return PlanSegmenter(bundle, plan, tensorrt=flavour, cuda=load_cuda())
