"""Half precision changes types and next to nothing else."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_daemon.core.tiling import Strips
from edge_daemon.inference.answers import thresholds_of
from edge_daemon.inference.bundle import Bundle, load_bundle, read_known_answer
from edge_daemon.inference.onnx_runtime import onnxruntime
from edge_daemon.plans.half import to_half
from edge_daemon.simulation.strips import draw_strip
from tests.edge_daemon.plans.conftest import ZOO, tiny_network

MAX_DIFFERING_SHARE = 2e-4
BUNDLES = ["steel-nano", "steel-small"]


Runner: TypeAlias = Callable[[Strips], NDArray[np.floating]]


def runner(model: onnx.ModelProto) -> Runner:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return lambda strips: session.run(None, {"strip": strips})[0]


def strips_of(bundle: Bundle) -> Iterator[Strips]:
    """The known answer's, a simulated one, noise, and a blank one."""
    strip, _ = read_known_answer(bundle)
    yield strip
    yield draw_strip(np.random.default_rng(4))[0][None, None]
    yield np.random.default_rng(0).integers(0, 256, strip.shape, dtype=np.uint8)
    yield np.full_like(strip, 255)


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in inferred.initializer}


@pytest.mark.parametrize("name", BUNDLES)
def test_masks_stay_what_they_are(name: str) -> None:
    bundle = load_bundle(ZOO / name)
    network = onnx.load(bundle.onnx_path)
    ask, ask_half = runner(network), runner(to_half(network))
    thresholds = thresholds_of(bundle)[:, None, None]
    tolerance = bundle.manifest.known_answer.tolerance
    for strips in strips_of(bundle):
        expected, found = ask(strips), ask_half(strips)
        assert found.dtype == np.float16
        differing = (expected > thresholds) != (found.astype(np.float32) > thresholds)
        assert differing.mean() <= MAX_DIFFERING_SHARE
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", BUNDLES)
def test_every_convolution_takes_and_gives_float16(name: str) -> None:
    half = to_half(onnx.load(ZOO / name / "model.onnx"))
    types = types_of(half)
    convolutions = [node for node in half.graph.node if node.op_type == "Conv"]
    assert len(convolutions) > 50
    for node in convolutions:
        assert {types[value] for value in [*node.input, *node.output]} == {TensorProto.FLOAT16}


def test_no_weight_is_changed_by_the_way_that_bundles_store_them() -> None:
    network = onnx.load(ZOO / "steel-nano" / "model.onnx")
    stored = {one.name: one for one in network.graph.initializer}
    half = {one.name: one for one in to_half(network).graph.initializer}
    name = "body.encoder.conv_stem.weight.half"
    np.testing.assert_array_equal(
        numpy_helper.to_array(stored[name]), numpy_helper.to_array(half[name])
    )


def test_the_input_stays_grey_values_and_its_normalisation_exact() -> None:
    half = to_half(tiny_network())
    types = types_of(half)
    assert types["strip"] == TensorProto.UINT8
    assert types["scaled"] == TensorProto.FLOAT
    assert types["pooled"] == TensorProto.FLOAT16
    assert types["probability"] == TensorProto.FLOAT16


def test_a_mean_over_many_cells_does_not_leave_the_range_of_float16() -> None:
    node = helper.make_node
    mean = [
        node("Mul", ["raw", "large"], ["up"]),
        node("ReduceMean", ["up"], ["mean"], keepdims=1),
        node("Sub", ["up", "mean"], ["last"]),
    ]
    network = tiny_network(before_output=mean)
    network.graph.initializer.append(numpy_helper.from_array(np.float32(500.0), "large"))
    types = types_of(to_half(network))
    assert types["mean"] == TensorProto.FLOAT
    strips = np.full((1, 1, 256, 1600), 255, np.uint8)
    assert np.isfinite(runner(to_half(network))(strips)).all()


def test_factors_of_resizing_stay_float32() -> None:
    node = helper.make_node
    resize = [
        node("AveragePool", ["raw"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Resize", ["small", "", "factors"], ["last"], mode="nearest"),
    ]
    network = tiny_network(before_output=resize)
    network.graph.initializer.append(
        numpy_helper.from_array(np.array([1, 1, 2, 2], np.float32), "factors")
    )
    assert types_of(to_half(network))["factors"] == TensorProto.FLOAT


def test_quantised_layers_keep_int8_between_float16_ends() -> None:
    node = helper.make_node
    pair = [
        node("QuantizeLinear", ["raw", "step", "zero"], ["levels"]),
        node("DequantizeLinear", ["levels", "step", "zero"], ["last"]),
    ]
    network = tiny_network(before_output=pair)
    network.graph.initializer.extend(
        [
            numpy_helper.from_array(np.float32(0.0625), "step"),
            numpy_helper.from_array(np.int8(0), "zero"),
        ]
    )
    half = to_half(network)
    types = types_of(half)
    assert types["levels"] == TensorProto.INT8
    assert types["last"] == TensorProto.FLOAT16
    strips = np.random.default_rng(1).integers(0, 256, (1, 1, 256, 1600), dtype=np.uint8)
    np.testing.assert_allclose(runner(half)(strips), runner(network)(strips), atol=0.02)


def test_a_graph_with_branches_is_refused() -> None:
    def branch(name: str) -> onnx.GraphProto:
        value = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 4, 64, 400])
        return helper.make_graph([helper.make_node("Identity", ["raw"], [name])], name, [], [value])

    choice = helper.make_node(
        "If", ["truth"], ["last"], then_branch=branch("yes"), else_branch=branch("no")
    )
    network = tiny_network(before_output=[choice])
    network.graph.initializer.append(numpy_helper.from_array(np.ones((), np.bool_), "truth"))
    with pytest.raises(ValueError, match="If nodes"):
        to_half(network)


def test_what_was_given_is_left_as_it_is() -> None:
    network = tiny_network()
    before = network.SerializeToString()
    to_half(network)
    assert network.SerializeToString() == before
