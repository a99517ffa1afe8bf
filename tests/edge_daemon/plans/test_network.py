"""What is counted on the device is what the reader of the planes would count."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge_daemon.inference.answers import count_above, thresholds_of
from edge_daemon.inference.bundle import load_bundle, read_known_answer
from edge_daemon.inference.onnx_runtime import onnxruntime
from edge_daemon.plans.faults import NoPlanError, OperatorError
from edge_daemon.plans.network import append_counts, prepare
from tests.edge_daemon.plans.conftest import ZOO, tiny_network

THRESHOLDS = np.array([0.5, 0.25, 0.499], np.float32)


def counting() -> onnxruntime.InferenceSession:
    """Counts in what it is given."""
    shape = ["N", 3, 2, 4]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["given"], ["probability"])],
        "given",
        [helper.make_tensor_value_info("given", TensorProto.FLOAT16, shape)],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT16, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    append_counts(model, THRESHOLDS)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )


SESSION = counting()


@settings(deadline=None, derandomize=True, max_examples=200)
@given(arrays.arrays(np.float16, (2, 3, 2, 4)))
def test_whatever_the_network_says_is_counted_exactly(given: NDArray[np.float16]) -> None:
    _, counts, valid = SESSION.run(["probability", "counts", "valid"], {"given": given})
    seen = given.astype(np.float32)
    np.testing.assert_array_equal(counts, count_above(seen, THRESHOLDS))
    np.testing.assert_array_equal(valid, ((seen >= 0) & (seen <= 1)).sum(axis=(1, 2, 3)))


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, np.nextafter(np.float16(1), np.float16(2)), -(2.0**-24)]
)
def test_a_single_cell_that_is_no_probability_is_found(value: float) -> None:
    given = np.zeros((2, 3, 2, 4), np.float16)
    given[1, 2, 1, 3] = value
    _, _, valid = SESSION.run(None, {"given": given})
    assert valid.tolist() == [24, 23]


@pytest.mark.parametrize("name", ["steel-nano", "steel-small"])
def test_the_known_answer_is_counted_as_the_bundle_would(name: str) -> None:
    bundle = load_bundle(ZOO / name)
    thresholds = thresholds_of(bundle)
    session = onnxruntime.InferenceSession(
        prepare(bundle.onnx_path, thresholds), providers=["CPUExecutionProvider"]
    )
    assert [one.name for one in session.get_outputs()] == ["probability", "counts", "valid"]
    strip, _ = read_known_answer(bundle)
    probability, counts, valid = session.run(None, {"strip": np.concatenate([strip] * 2)})
    np.testing.assert_array_equal(counts, count_above(probability.astype(np.float32), thresholds))
    assert counts.any()
    assert valid.tolist() == [probability[0].size] * 2


def test_an_operator_that_onnx_does_not_know_is_named(tmp_path: Path) -> None:
    invented = helper.make_node("Smelt", ["raw"], ["last"])
    path = tmp_path / "model.onnx"
    onnx.save(tiny_network(before_output=[invented]), path)
    with pytest.raises(OperatorError, match="Smelt") as caught:
        prepare(path, np.full(4, 0.5, np.float32))
    assert caught.value.operators == ["Smelt"]


def test_a_network_whose_types_do_not_fit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    network = tiny_network()
    network.graph.node[0].attribute[0].i = TensorProto.DOUBLE
    onnx.save(network, path)
    with pytest.raises(NoPlanError, match="export the bundle again"):
        prepare(path, np.full(4, 0.5, np.float32))
