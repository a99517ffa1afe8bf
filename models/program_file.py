"""Writing a network as a torch.export program in half precision: what GPU builders start from.

Precision lies in the graph, as strongly typed TensorRT versions want it: the network computes in
float16 and gives float32 probabilities.
"""

import copy
from pathlib import Path

import torch

from models.architecture import SteelNet
from models.onnx_file import MAX_BATCH


def write_program(network: SteelNet, path: Path, *, height: int, width: int) -> None:
    """Export with a free batch size of 1 to 64 and strips of height x width."""
    example = torch.zeros((2, 1, height, width), dtype=torch.uint8)
    program = torch.export.export(
        copy.deepcopy(network).eval().half(),
        (example,),
        dynamic_shapes=({0: torch.export.Dim("N", min=1, max=MAX_BATCH)},),
    )
    _forget_origin(program)
    torch.export.save(program, path)


def _forget_origin(program: torch.export.ExportedProgram) -> None:
    """Drop the example, which is as large as a strip, and notes on source files of this machine."""
    program.example_inputs = None
    for node in program.graph.nodes:
        for note in ("stack_trace", "nn_module_stack", "source_fn_stack"):
            node.meta.pop(note, None)
