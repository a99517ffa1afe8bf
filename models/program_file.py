"""A network as a torch.export program in half precision.

GPU builders start from it, and so does fine-tuning: batch normalisation is kept, so the program's
`state_dict` has the names of the network's own. Precision lies in the graph, as strongly typed
TensorRT versions want it: the network computes in float16 and gives float32 probabilities.
"""

import copy
import zipfile
from pathlib import Path

import torch
from torch import nn
from torch.utils import _pytree as pytree

from models.network import SteelNet
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
    _compress(path)


def read_in_single_precision(path: Path) -> nn.Module:
    """A program whose arithmetic is float32 instead of float16; the weights are those of the file.

    Processors without half-precision arithmetic take fifty times longer for the program as it is.
    """
    module = torch.export.load(path).module()
    for node in module.graph.nodes:
        node.args, node.kwargs = pytree.tree_map(_single, (node.args, node.kwargs))
    module.recompile()
    return module.float()


def _single(argument: object) -> object:
    return torch.float32 if argument is torch.float16 else argument


def _forget_origin(program: torch.export.ExportedProgram) -> None:
    """Drop the example, which is as large as a strip, and notes on source files of this machine."""
    program.example_inputs = None
    for node in program.graph.nodes:
        for note in ("stack_trace", "nn_module_stack", "source_fn_stack"):
            node.meta.pop(note, None)


def _compress(path: Path) -> None:
    """Deflate the archive, which torch stores as it is: a seventh less, and no dates in it."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
