"""A network with INT8 convolutions, as an ONNX file with QuantizeLinear and DequantizeLinear pairs.

The pairs say in the graph itself what is to be INT8, which every TensorRT from 8 on reads, and the
strongly typed ones read nothing else. What TensorRT asks for decides the form:

    activations     int8, one scale per value, zero point 0; the pair stands before the convolution
    weights         int8, stored as such, one scale per output channel, zero point 0
    biases          float, as they are: TensorRT adds them in the convolution's own sums
    residual sums   take what is quantised already in its quantised form, so the two can be fused

Left in float are the first sixth of the convolutions, which see plain grey values (of steel-nano
the stem and two stages: 6 % of the work, a quarter of the error); the head and the last decoder
block, whose rounding would go straight into the outlines; and depthwise convolutions: INT8 brings
them next to nothing in time, and they lose most by it.

Scales are rounded to what half precision can hold, since builders put the rest of the network, and
the scales with it, into half precision. On a CPU the file brings nothing: ONNX Runtime fuses
other patterns.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from edge_daemon.core.tiling import Strips
from models.calibration import measure_ranges
from models.parity import ExportError

FLOAT_AT_START = 1 / 6
"""Of the convolutions, in the order in which they run."""
FLOAT_AT_END = 3
"""The head, and the two convolutions of the last decoder block."""
LEVELS = 127
LEAST_SCALE = 2.0**-20
"""Half precision ends at 2**-24; a kernel so small does nothing anyway."""
FIRST_OPSET = 13
"""From here on weights have a scale per channel."""

Weights = NDArray[np.float32]


def write_int8(source: Path, path: Path, strips: Iterable[Strips]) -> None:
    """Quantise a bundle's ONNX network by what it gives on calibration strips.

    Args:
        source: float32 arithmetic; weights may be stored in half precision with a Cast behind.
        path: to write.
        strips: any number of (1, 1, H, W) uint8, such as the network was trained on.

    Raises:
        ExportError: nothing in the network is fit for INT8, or its values aren't finite.
    """
    model = onnx.load(source)
    layers = layers_to_quantise(model.graph)
    if not layers:
        raise ExportError(f"{source}: no convolution of this network is fit for INT8")
    inputs = list(dict.fromkeys(layer.input[0] for layer in layers))
    quantise(model, layers, measure_ranges(model, inputs, strips))
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def layers_to_quantise(graph: onnx.GraphProto) -> Sequence[onnx.NodeProto]:
    """The convolutions that are worth it; the module's docstring says which aren't."""
    weights = _weights(graph)
    convolutions = [
        node for node in graph.node if node.op_type == "Conv" and node.input[1] in weights
    ]
    first = math.ceil(len(convolutions) * FLOAT_AT_START)
    return [node for node in convolutions[first:-FLOAT_AT_END] if not _is_depthwise(node)]


def quantise(
    model: onnx.ModelProto, layers: Sequence[onnx.NodeProto], ranges: Mapping[str, float]
) -> None:
    """Put Q/DQ pairs before some convolutions, in place.

    Args:
        model: changed in place.
        layers: convolutions of it.
        ranges: for each of their inputs, the magnitude that becomes 127.

    Raises:
        ExportError: the file is too old for scales per channel.
    """
    if any(one.domain == "" and one.version < FIRST_OPSET for one in model.opset_import):
        raise ExportError(f"INT8 needs ONNX opset {FIRST_OPSET} or later; export the bundle again")
    graph, weights = model.graph, _weights(model.graph)
    chosen = {layer.name for layer in layers}
    rounded: dict[str, str] = {}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.name in chosen:
            value, kernel = node.input[:2]
            if value not in rounded:
                nodes += _round_value(graph, value, ranges[value])
                rounded[value] = f"{value}.rounded"
            nodes.append(_store_kernel(graph, kernel, weights[kernel]))
            node.input[0], node.input[1] = rounded[value], f"{kernel}.rounded"
        elif node.op_type == "Add":
            for slot, value in enumerate(node.input):
                node.input[slot] = rounded.get(value, value)
        nodes.append(node)
    _replace_nodes(graph, nodes)


def _round_value(graph: onnx.GraphProto, value: str, reach: float) -> list[onnx.NodeProto]:
    """The pair behind a value."""
    parameters = _store_parameters(graph, value, _scale(np.array(reach)))
    return [
        helper.make_node(operator, [takes, *parameters], [gives], name=gives)
        for operator, takes, gives in (
            ("QuantizeLinear", value, f"{value}.int8"),
            ("DequantizeLinear", f"{value}.int8", f"{value}.rounded"),
        )
    ]


def _store_kernel(graph: onnx.GraphProto, name: str, kernel: Weights) -> onnx.NodeProto:
    """Store a kernel (C_out, C_in, h, w) in INT8; the node that gives it back in float."""
    scales = _scale(np.abs(kernel).max(axis=(1, 2, 3)))
    steps = np.round(kernel / scales[:, None, None, None])
    stored = np.clip(steps, -LEVELS, LEVELS).astype(np.int8)
    graph.initializer.append(numpy_helper.from_array(stored, f"{name}.int8"))
    takes, gives = [f"{name}.int8", *_store_parameters(graph, name, scales)], f"{name}.rounded"
    return helper.make_node("DequantizeLinear", takes, [gives], name=gives, axis=0)


def _store_parameters(graph: onnx.GraphProto, name: str, scales: Weights) -> tuple[str, str]:
    """Store scales and zero points of a value; their names."""
    names = f"{name}.scale", f"{name}.zero"
    for array, called in zip((scales, np.zeros(scales.shape, np.int8)), names, strict=True):
        graph.initializer.append(numpy_helper.from_array(array, called))
    return names


def _scale(reach: NDArray[np.floating]) -> Weights:
    """What one step of INT8 is worth where the largest magnitude is to be 127 steps."""
    steps = np.maximum(reach / LEVELS, LEAST_SCALE).astype(np.float16)
    return np.asarray(steps, np.float32)


def _weights(graph: onnx.GraphProto) -> dict[str, Weights]:
    """Every stored float value by the name under which nodes take it, also from behind a Cast."""
    stored = {
        one.name: numpy_helper.to_array(one)
        for one in graph.initializer
        if one.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)
    }
    cast = {
        node.output[0]: stored[node.input[0]].astype(np.float32)
        for node in graph.node
        if node.op_type == "Cast" and node.input[0] in stored
    }
    return stored | cast


def _is_depthwise(convolution: onnx.NodeProto) -> bool:
    return any(one.name == "group" and one.i > 1 for one in convolution.attribute)


def _replace_nodes(graph: onnx.GraphProto, nodes: Sequence[onnx.NodeProto]) -> None:
    """Put nodes, sorted as they run, in place of a graph's; without what nothing takes any more."""
    wanted = {output.name for output in graph.output}
    kept: list[onnx.NodeProto] = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    stored = [one for one in graph.initializer if one.name in wanted]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(reversed(kept))
    graph.initializer.extend(stored)
