"""What a plan takes and gives."""

import pytest

from edge_daemon.cuda.errors import PlanError
from edge_daemon.cuda.tensorrt import PlanTensor
from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.plan_layout import COUNTS, VALID, layout_of, match_tensors

LAYOUT = layout_of(load_bundle(shipped_bundle()))
GOOD = {
    "strip": PlanTensor("UINT8", (-1, 1, 256, 1600), is_input=True),
    "probability": PlanTensor("HALF", (-1, 4, 64, 400), is_input=False),
    "counts": PlanTensor("INT32", (-1, 4), is_input=False),
    "valid": PlanTensor("INT32", (-1,), is_input=False),
}


def test_sizes_are_those_of_one_strip() -> None:
    assert {name: tensor.bytes for name, tensor in LAYOUT.items()} == {
        "strip": 256 * 1600,
        "probability": 4 * 64 * 400 * 2,
        "counts": 16,
        "valid": 4,
    }


def test_a_plan_of_the_bundle_passes_by_its_own_names() -> None:
    assert match_tensors(GOOD, LAYOUT, name="good.plan") == {name: name for name in GOOD}


def test_outputs_are_known_by_what_they_are_whatever_they_are_called() -> None:
    theirs = {"strip": "strip", "probability": "output0", "counts": "output1", "valid": "output2"}
    found = {theirs[name]: tensor for name, tensor in GOOD.items()}
    assert match_tensors(found, LAYOUT, name="torch.plan") == theirs


@pytest.mark.parametrize("name", GOOD)
def test_inputs_and_outputs_that_are_missing_are_named(name: str) -> None:
    found = {one: tensor for one, tensor in GOOD.items() if one != name}
    with pytest.raises(PlanError, match=rf"bad\.plan: lacks '{name}', an .*put .*; it has an "):
        match_tensors(found, LAYOUT, name="bad.plan")


def test_an_input_in_place_of_an_output_is_refused() -> None:
    found = GOOD | {"valid": PlanTensor("INT32", (-1,), is_input=True)}
    with pytest.raises(PlanError, match=r"lacks 'valid', .*; it has .*an input int32 \(N\)"):
        match_tensors(found, LAYOUT, name="bad.plan")


def test_an_output_too_many_is_refused() -> None:
    found = GOOD | {"more": PlanTensor("FLOAT", (-1, 7), is_input=False)}
    with pytest.raises(PlanError, match=r"hasn't got an output float32 \(N, 7\)"):
        match_tensors(found, LAYOUT, name="bad.plan")


def test_a_type_that_nobody_here_knows_is_named_as_tensorrt_does() -> None:
    found = GOOD | {"probability": PlanTensor("FP8", (-1, 4, 64, 400), is_input=False)}
    with pytest.raises(PlanError, match="an output FP8"):
        match_tensors(found, LAYOUT, name="bad.plan")


def test_builder_and_runner_mean_the_same_names() -> None:
    network = pytest.importorskip("edge_daemon.plans.network", reason="onnx is not installed")
    assert (COUNTS, VALID) == (network.COUNTS, network.VALID)
