"""What is inside a plan: inputs, outputs, and in which types its layers compute.

Told by the network before it is built, whose types a builder has to keep since it is strongly
typed; or by the finished engine, which takes the GPU that it is for.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict


class PlanTensor(BaseModel):
    """An input or output.

    Attributes:
        name: in the engine.
        is_input: or an output.
        dtype: TensorRT's name of it: UINT8, HALF, INT32.
        shape: -1 stands for the batch.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    is_input: bool
    dtype: str
    shape: tuple[int, ...]


class PlanContents(BaseModel):
    """What is inside a plan.

    Attributes:
        tensors: inputs, then outputs.
        layers: of each kind of layer, how many give what type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tensors: tuple[PlanTensor, ...]
    layers: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """A plan fresh from a builder.

    Attributes:
        content: the serialized engine.
        contents: what is inside.
    """

    content: bytes
    contents: PlanContents


def describe_network(network: Any) -> PlanContents:  # noqa: ANN401 - untyped library
    """What TensorRT was given to build, an INetworkDefinition."""
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    outputs = [network.get_output(index) for index in range(network.num_outputs)]
    tensors = [
        PlanTensor(
            name=one.name, is_input=is_input, dtype=one.dtype.name, shape=tuple(map(int, one.shape))
        )
        for group, is_input in ((inputs, True), (outputs, False))
        for one in group
    ]
    layers = [network.get_layer(index) for index in range(network.num_layers)]
    return PlanContents(
        tensors=tuple(tensors),
        layers=_count((one.type.name, one.get_output(0).dtype.name) for one in layers),
    )


def describe_engine(trt: Any, content: bytes) -> PlanContents:  # noqa: ANN401 - untyped library
    """What a finished plan says of itself; needs the GPU that it is for.

    Raises:
        ValueError: TensorRT can't load it.
    """
    logger = trt.Logger(trt.Logger.ERROR)
    engine = trt.Runtime(logger).deserialize_cuda_engine(content)
    if engine is None:
        raise ValueError(f"{trt.__name__} can't load the plan on this GPU")
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    tensors = [
        PlanTensor(
            name=name,
            is_input=engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
            dtype=engine.get_tensor_dtype(name).name,
            shape=tuple(map(int, engine.get_tensor_shape(name))),
        )
        for name in names
    ]
    told = engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON)
    return PlanContents(tensors=tuple(tensors), layers=read_layers(told))


def read_layers(told: str) -> dict[str, dict[str, int]]:
    """Count layers by kind and type in what an engine inspector tells as JSON.

    A plan that wasn't built with detailed verbosity tells names only: then nothing is counted.
    """
    layers = [one for one in json.loads(told).get("Layers", []) if isinstance(one, dict)]
    return _count(
        (layer.get("LayerType", "?"), output.get("Format/Datatype", output.get("Format", "?")))
        for layer in layers
        for output in layer.get("Outputs", [])[:1]
    )


def _count(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for kind, dtype in pairs:
        counts[kind][dtype] += 1
    return {kind: dict(sorted(by_type.items())) for kind, by_type in sorted(counts.items())}
