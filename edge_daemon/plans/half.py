"""A bundle's ONNX network with half-precision arithmetic, types fixed in the graph.

TensorRT 11 takes strongly typed networks only, TensorRT 10 and TensorRT-RTX take them too: what the
graph says is what is built. So precision is decided here, for all of them alike:

    weights and activations   float16
    normalisation             float32 from the uint8 strip up to the first real layer: mean and
                              scale aren't rounded
    sums over many cells      float32: 400 cells of 200 each already leave float16's range
    resizing factors, shapes  as they were
    probability               float16

The one module that changes types in an ONNX graph.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import onnx
from onnx import numpy_helper

FLOAT = onnx.TensorProto.FLOAT
HALF = onnx.TensorProto.FLOAT16
NORMALISING = frozenset({"Cast", "Sub", "Div", "Mul", "Add"})
SUMMING = frozenset({"ReduceMean", "ReduceSum", "GlobalAveragePool"})
SINGLE_INPUTS = {"Resize": frozenset({1, 2})}
"""Inputs that the operator takes in float32 only: region and scales."""
OPSET_OF_HALF_SCALES = 19
"""From here on QuantizeLinear and DequantizeLinear take float16 scales."""


def to_half(network: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of a float32 network that computes in float16.

    Args:
        network: one input, uint8 strips; weights may be stored as float16 with a Cast behind each,
            as bundles have them. Q/DQ pairs are kept, with scales in float16.

    Raises:
        ValueError: the graph has branches or loops, whose bodies nobody converts here.
        onnx.shape_inference.InferenceError: it is no valid graph.
    """
    model = onnx.ModelProto()
    model.CopyFrom(network)
    if nested := [node.op_type for node in model.graph.node if _has_body(node)]:
        raise ValueError(f"the network has {nested[0]} nodes, which can't be put in half precision")
    _raise_opset(model)
    _absorb_weight_casts(model.graph)
    _Conversion.of(model).run()
    onnx.checker.check_model(model, full_check=True)
    return model


@dataclass(slots=True)
class _Conversion:
    """One graph on its way to half precision.

    Attributes:
        graph: is changed in place.
        singles: values that were float32 before.
        kept: names of the values that stay so.
        casts: Cast nodes that were put in, by the name of what they give.
    """

    graph: onnx.GraphProto
    singles: frozenset[str]
    kept: frozenset[str]
    casts: dict[str, onnx.NodeProto] = field(default_factory=dict)

    @classmethod
    def of(cls, model: onnx.ModelProto) -> "_Conversion":
        graph = model.graph
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
        typed = [*inferred.value_info, *inferred.input, *inferred.output]
        singles = {one.name for one in typed if one.type.tensor_type.elem_type == FLOAT}
        singles |= {one.name for one in graph.initializer if one.data_type == FLOAT}
        in_single = [node for node in graph.node if node.op_type in SUMMING]
        in_single += _normalisation(graph)
        kept = {name for node in in_single for name in node.output}
        return cls(graph, frozenset(singles), frozenset(kept & singles))

    def run(self) -> None:
        constants = {one.name: one for one in self.graph.initializer if one.data_type == FLOAT}
        nodes: list[onnx.NodeProto] = []
        for node in self.graph.node:
            before = set(self.casts)
            for slot, name in enumerate(node.input):
                if name in self.singles:
                    node.input[slot] = self._wanted(node, slot, name in constants)
            nodes += [self.casts[name] for name in self.casts if name not in before]
            if not self._is_kept(node):
                _retype(node)
            nodes.append(node)
        del self.graph.node[:]
        self.graph.node.extend(nodes)
        self._store(constants)
        self._finish_outputs()

    def _is_kept(self, node: onnx.NodeProto) -> bool:
        return any(name in self.kept for name in node.output)

    def _wanted(self, node: onnx.NodeProto, slot: int, is_constant: bool) -> str:  # noqa: FBT001 - private
        """The name under which an input is to be had in the type that its node takes."""
        name: str = node.input[slot]
        single = self._is_kept(node) or slot in SINGLE_INPUTS.get(node.op_type, ())
        if is_constant:
            return name if single else f"{name}.half"
        if node.op_type == "Cast" or single == (name in self.kept):
            return name
        to, suffix = (FLOAT, "single") if single else (HALF, "half")
        cast = f"{name}.{suffix}"
        self.casts.setdefault(
            cast, onnx.helper.make_node("Cast", [name], [cast], name=f"cast_{cast}", to=to)
        )
        return cast

    def _store(self, constants: dict[str, onnx.TensorProto]) -> None:
        """Keep each constant in the types in which it is asked for."""
        used = {name for node in self.graph.node for name in node.input}
        kept = [one for one in self.graph.initializer if one.name in used]
        for name, tensor in constants.items():
            if f"{name}.half" in used:
                values = numpy_helper.to_array(tensor).astype(np.float16)
                kept.append(numpy_helper.from_array(values, f"{name}.half"))
        del self.graph.initializer[:]
        self.graph.initializer.extend(kept)

    def _finish_outputs(self) -> None:
        del self.graph.value_info[:]
        for output in self.graph.output:
            if output.name in self.singles and output.name not in self.kept:
                output.type.tensor_type.elem_type = HALF


def _normalisation(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """The steps from the strip to what the first layer takes: one value, changed by constants."""
    constants = {one.name for one in graph.initializer}
    value = graph.input[0].name
    while True:
        takers = [node for node in graph.node if value in node.input]
        if len(takers) != 1 or takers[0].op_type not in NORMALISING:
            return
        if set(takers[0].input) - constants != {value}:
            return
        yield takers[0]
        value = takers[0].output[0]


def _absorb_weight_casts(graph: onnx.GraphProto) -> None:
    """Make float32 weights of float16 ones with a Cast behind; to be rounded again, for nothing."""
    stored = {one.name: one for one in graph.initializer if one.data_type == HALF}
    nodes, absorbed = [], set()
    for node in graph.node:
        to = next((one.i for one in node.attribute if one.name == "to"), None)
        if node.op_type == "Cast" and node.input[0] in stored and to == FLOAT:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
            absorbed.add(node.input[0])
        else:
            nodes.append(node)
    used = {name for node in nodes for name in node.input}
    weights = [one for one in graph.initializer if one.name not in absorbed - used]
    del graph.node[:], graph.initializer[:]
    graph.node.extend(nodes)
    graph.initializer.extend(weights)


def _retype(node: onnx.NodeProto) -> None:
    """Let a node that names its output's type name float16 instead of float32."""
    for attribute in node.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i == FLOAT:
            attribute.i = HALF
        if attribute.name == "value" and attribute.t.data_type == FLOAT:
            values = numpy_helper.to_array(attribute.t).astype(np.float16)
            attribute.t.CopyFrom(numpy_helper.from_array(values))


def _raise_opset(model: onnx.ModelProto) -> None:
    """Declare the first version with float16 scales where there are any.

    Nothing that a network of ours uses means anything else from version 18 to 19.
    """
    if any(node.op_type == "DequantizeLinear" for node in model.graph.node):
        for opset in model.opset_import:
            if opset.domain == "":
                opset.version = max(opset.version, OPSET_OF_HALF_SCALES)


def _has_body(node: onnx.NodeProto) -> bool:
    kinds = {onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS}
    return any(attribute.type in kinds for attribute in node.attribute)
