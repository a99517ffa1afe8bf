"""A network as ONNX with weights in half precision: half the size, the same speed.

Weights are stored as float16 with a Cast behind each. ONNX Runtime carries the casts out once,
when it loads the file; what then runs is plain float32.
"""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper

from edge_daemon.inference.onnx_runtime import onnxruntime
from models.network import SteelNet

OPSET = 18
INPUT = "strip"
OUTPUT = "probability"
MAX_BATCH = 64
MIN_VALUES = 64
"""Smaller tensors (biases, scalars) stay as they are."""


def write_onnx(network: SteelNet, path: Path, *, height: int, width: int) -> None:
    """Export with a free batch size and strips of height x width.

    Weights should already be rounded to half precision, so that nothing is lost here.
    """
    program = _export(network, height=height, width=width)
    _store_half(program.graph)
    _forget_origin(program)
    onnx.checker.check_model(program, full_check=True)
    onnx.save(program, path)


def open_onnx(path: Path, *, threads: int = 0) -> onnxruntime.InferenceSession:
    """Load an ONNX file for the CPU; 0 threads leaves the choice to ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _export(network: SteelNet, *, height: int, width: int) -> onnx.ModelProto:
    example = torch.zeros((2, 1, height, width), dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # the exporter's own deprecations: nothing a caller can mend
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("N", min=1, max=MAX_BATCH)},),
            verbose=False,
        )
    if program is None:
        raise TypeError("torch.onnx.export gave no program")
    proto: onnx.ModelProto = program.model_proto
    return proto


def _store_half(graph: onnx.GraphProto) -> None:
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < MIN_VALUES:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def _forget_origin(program: onnx.ModelProto) -> None:
    """Drop the exporter's notes on source files: they name the folders of the machine it ran on."""
    graph = program.graph
    for item in (program, graph, *graph.node, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    del graph.value_info[:]
