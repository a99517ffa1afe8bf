"""Which plan a request means."""

import importlib.util

import pytest

from edge_daemon.inference.bundle import Bundle
from edge_daemon.plans.faults import NoPlanError, NoTensorRtError
from edge_daemon.plans.fingerprint import (
    ANY_STRIPS,
    NOTHING,
    ONE_STRIP,
    Builder,
    Flavour,
    GpuIdentity,
    Precision,
)
from edge_daemon.plans.resolving import PlanRequest, resolve
from tests.edge_daemon.plans.conftest import needs_rtx

pytestmark = needs_rtx
RTX = PlanRequest(flavour=Flavour.TENSORRT_RTX)
ADA = GpuIdentity("NVIDIA RTX 4000 Ada", "8.9", "580.65")


def test_the_key_holds_the_gpu_that_was_found(tiny: Bundle) -> None:
    key = resolve(tiny, RTX, gpu=ADA)
    assert (key.gpu, key.compute_capability, key.driver) == ("NVIDIA RTX 4000 Ada", "8.9", "580.65")


def test_without_a_gpu_the_plan_is_for_none_in_particular(tiny: Bundle) -> None:
    key = resolve(tiny, RTX, gpu=GpuIdentity())
    assert (key.gpu, key.compute_capability, key.driver) == (NOTHING, NOTHING, NOTHING)


def test_the_key_says_which_bundle_builder_and_version(tiny: Bundle) -> None:
    key = resolve(tiny, RTX, gpu=ADA)
    assert key.bundle == tiny.fingerprint
    assert key.builder is Builder.ONNX
    assert key.batches == (ONE_STRIP, ANY_STRIPS)
    assert key.flavour_version.count(".") == 3


def test_torch_tensorrt_is_no_builder_of_rtx_plans(tiny: Bundle) -> None:
    request = PlanRequest(builder=Builder.TORCH, flavour=Flavour.TENSORRT_RTX)
    with pytest.raises(NoTensorRtError, match="not of tensorrt_rtx; ask for the builder onnx"):
        resolve(tiny, request, gpu=ADA)


@pytest.mark.skipif(
    importlib.util.find_spec("tensorrt") is not None, reason="TensorRT is installed here"
)
def test_tensorrt_is_not_replaced_by_rtx_where_it_was_asked_for(tiny: Bundle) -> None:
    with pytest.raises(NoTensorRtError, match="tensorrt can't be imported"):
        resolve(tiny, PlanRequest(flavour=Flavour.TENSORRT), gpu=ADA)


def test_a_bundle_without_an_int8_network_has_no_int8_plan(tiny: Bundle) -> None:
    request = PlanRequest(flavour=Flavour.TENSORRT_RTX, precision=Precision.INT8)
    with pytest.raises(NoPlanError, match=r"has no model\.int8\.onnx"):
        resolve(tiny, request, gpu=ADA)
