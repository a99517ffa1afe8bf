"""What the ONNX parser of TensorRT-RTX makes of a network, on a machine without a GPU."""

import numpy as np
import pytest
from onnx import helper, numpy_helper

from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.bundle import Bundle
from edge_daemon.plans.faults import NoTensorRtError, OperatorError
from edge_daemon.plans.fingerprint import GpuIdentity, PlanKey
from edge_daemon.plans.network import prepare
from edge_daemon.plans.onnx_builder import build_from_onnx, build_network
from edge_daemon.plans.resolving import PlanRequest, resolve
from tests.edge_daemon.plans.conftest import needs_rtx, tiny_network, tossing_network

pytestmark = needs_rtx
NO_GPU = GpuIdentity()


@pytest.fixture(scope="module")
def tiny_key(tiny: Bundle) -> PlanKey:
    return resolve(tiny, PlanRequest(), gpu=NO_GPU)


def test_a_plan_has_the_inputs_and_outputs_of_the_contract(tiny: Bundle, tiny_key: PlanKey) -> None:
    shares: list[float] = []
    plan = build_from_onnx(tiny, tiny_key, shares.append)
    tensors = {one.name: one for one in plan.contents.tensors}
    assert {name: (one.is_input, one.dtype, one.shape) for name, one in tensors.items()} == {
        "strip": (True, "UINT8", (-1, 1, 256, 1600)),
        "probability": (False, "HALF", (-1, 4, 64, 400)),
        "counts": (False, "INT32", (-1, 4)),
        "valid": (False, "INT32", (-1,)),
    }
    assert plan.contents.layers["CONVOLUTION"] == {"HALF": 1}
    assert shares == sorted(shares)
    assert shares[-1] > 0.5


def test_operators_that_the_parser_refuses_are_named(tiny_key: PlanKey) -> None:
    node = helper.make_node
    two = [
        node("Bernoulli", ["raw"], ["tossed"], name="toss"),
        node("CenterCropPad", ["tossed", "size"], ["last"], name="crop"),
    ]
    network = tiny_network(before_output=two)
    network.graph.initializer.append(numpy_helper.from_array(np.array([1, 4, 64, 400]), "size"))
    with pytest.raises(OperatorError, match=r"convert Bernoulli.* refuses .*toss") as caught:
        build_network(network.SerializeToString(), tiny_key, lambda _: None)
    assert "Bernoulli" in caught.value.operators
    assert "Conv" not in caught.value.operators


def test_an_operator_without_a_name_of_its_own_is_named_by_its_kind(tiny_key: PlanKey) -> None:
    network = tossing_network()
    for node in network.graph.node:
        node.name = ""
    with pytest.raises(OperatorError, match=r"convert Bernoulli: .* refuses 1 node"):
        build_network(network.SerializeToString(), tiny_key, lambda _: None)


def test_a_plan_can_be_built_for_a_gpu_that_is_not_here(tiny: Bundle, tiny_key: PlanKey) -> None:
    network = prepare(tiny.onnx_path, thresholds_of(tiny))
    for capability in ("7.5", "8.9", "12.0"):
        key = tiny_key.model_copy(update={"compute_capability": capability})
        assert build_network(network, key, lambda _: None).content


def test_hopper_is_refused_with_what_is_taken(tiny: Bundle, tiny_key: PlanKey) -> None:
    network = prepare(tiny.onnx_path, thresholds_of(tiny))
    key = tiny_key.model_copy(update={"compute_capability": "9.0"})
    with pytest.raises(NoTensorRtError, match=r"9\.0, only for .*8\.9"):
        build_network(network, key, lambda _: None)
