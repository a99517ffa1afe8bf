"""The ONNX network that is built: in half precision, counting on the device."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edge_daemon.inference.answers import Thresholds
from edge_daemon.inference.plan_layout import COUNTS, VALID
from edge_daemon.plans.faults import NoPlanError, OperatorError
from edge_daemon.plans.half import to_half
from edge_daemon.plans.outputs import JUST_ABOVE_1, JUST_BELOW_0

EXPORT_AGAIN = "export the bundle again"


def prepare(path: Path, thresholds: Thresholds) -> bytes:
    """Read a bundle's network and make of it what is built.

    Args:
        path: uint8 strips in, float32 probability out.
        thresholds: (K,), of the classes.

    Raises:
        OperatorError: the graph has operators that ONNX doesn't know.
        NoPlanError: it is no such network, or can't be put in half precision.
    """
    try:
        network = onnx.load(path)
        if unknown := _unknown_operators(network):
            raise OperatorError(unknown, f"{path}: not among ONNX's", remedy=EXPORT_AGAIN)
        model = to_half(network)
        append_counts(model, thresholds)
    except (
        ValueError,
        onnx.checker.ValidationError,
        onnx.shape_inference.InferenceError,
    ) as error:
        raise NoPlanError(f"{path}: {error}; {EXPORT_AGAIN}") from error
    content: bytes = model.SerializeToString()
    return content


def _unknown_operators(model: onnx.ModelProto) -> list[str]:
    versions = {one.domain: one.version for one in model.opset_import}
    return sorted(
        {
            node.op_type
            for node in model.graph.node
            if not onnx.defs.has(node.op_type, versions.get(node.domain, 0), node.domain)
        }
    )


def append_counts(model: onnx.ModelProto, thresholds: Thresholds) -> None:
    """Add the outputs `counts` and `valid` to a network whose one output is the probability.

    Args:
        model: changed in place; its output is (N, K, h, w) float16 or float32.
        thresholds: (K,), baked in.
    """
    graph = model.graph
    graph.initializer.extend(
        [
            numpy_helper.from_array(thresholds[None, :, None, None], "threshold"),
            numpy_helper.from_array(np.float32(JUST_BELOW_0), "just_below_0"),
            numpy_helper.from_array(np.float32(JUST_ABOVE_1), "just_above_1"),
            numpy_helper.from_array(np.array([2, 3]), "of_a_plane"),
            numpy_helper.from_array(np.array([1, 2, 3]), "of_a_strip"),
        ]
    )
    single, int32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    for operator, takes, gives, attributes in (
        ("Cast", [graph.output[0].name], "seen", {"to": single}),
        ("Greater", ["seen", "threshold"], "is_above", {}),
        ("Cast", ["is_above"], "above", {"to": int32}),
        ("ReduceSum", ["above", "of_a_plane"], COUNTS, {"keepdims": 0}),
        ("Greater", ["seen", "just_below_0"], "is_from_0", {}),
        ("Less", ["seen", "just_above_1"], "is_to_1", {}),
        ("And", ["is_from_0", "is_to_1"], "is_a_probability", {}),
        ("Cast", ["is_a_probability"], "a_probability", {"to": int32}),
        ("ReduceSum", ["a_probability", "of_a_strip"], VALID, {"keepdims": 0}),
    ):
        graph.node.append(helper.make_node(operator, takes, [gives], name=gives, **attributes))
    batch = graph.input[0].type.tensor_type.shape.dim[0].dim_param
    graph.output.append(helper.make_tensor_value_info(COUNTS, int32, [batch, len(thresholds)]))
    graph.output.append(helper.make_tensor_value_info(VALID, int32, [batch]))
    onnx.checker.check_model(model, full_check=True)
