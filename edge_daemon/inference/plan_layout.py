"""What goes into a plan and what comes out, per strip.

    the bundle's input    uint8   (1, 256, 1600)
    the bundle's output   float16 (K, h, w)   probability
    counts                int32   (K,)        cells above each class's threshold
    valid                 int32   ()          cells, of all classes, whose probability lies in 0..1

A NaN compares false with everything, so `valid` finds it without fetching a plane.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from edge_daemon.cuda.errors import PlanError
from edge_daemon.cuda.tensorrt import REBUILD, PlanTensor
from edge_daemon.inference.buckets import STRIP_SHAPE
from edge_daemon.inference.bundle import Bundle

COUNTS, VALID = "counts", "valid"
_NUMPY_NAMES = {"UINT8": "uint8", "HALF": "float16", "FLOAT": "float32", "INT32": "int32"}


@dataclass(frozen=True, slots=True)
class StripTensor:
    """What belongs to one strip in one of a plan's inputs or outputs.

    Attributes:
        dtype: NumPy's name.
        shape: without the batch.
        is_input: or an output.
    """

    dtype: str
    shape: tuple[int, ...]
    is_input: bool = False

    @property
    def bytes(self) -> int:
        """Of one strip."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


Layout: TypeAlias = Mapping[str, StripTensor]


def layout_of(bundle: Bundle) -> Layout:
    """Inputs and outputs that a plan of this bundle has, by name."""
    taken, given = bundle.manifest.input, bundle.manifest.output
    cells = given.shape[1:]
    return {
        taken.name: StripTensor("uint8", (1, *STRIP_SHAPE), is_input=True),
        given.name: StripTensor("float16", cells),
        COUNTS: StripTensor("int32", cells[:1]),
        VALID: StripTensor("int32", ()),
    }


def match_tensors(
    found: Mapping[str, PlanTensor], layout: Layout, *, name: str
) -> Mapping[str, str]:
    """Find a plan's inputs and outputs by type and shape: no two of them have the same.

    The ONNX parser keeps names, torch-tensorrt calls outputs what it likes.

    Returns:
        The plan's name of each tensor of the layout.

    Raises:
        PlanError: one is missing, too many, or of another type or shape.
    """
    actual = {
        (_NUMPY_NAMES.get(tensor.dtype, tensor.dtype), tensor.shape[1:], tensor.is_input): theirs
        for theirs, tensor in found.items()
    }
    expected = {_described(tensor): ours for ours, tensor in layout.items()}
    for description, ours in expected.items():
        if description not in actual:
            raise PlanError(
                f"{name}: lacks {ours!r}, {_said(description)}; it has "
                f"{', '.join(sorted(map(_said, actual)))}; {REBUILD}"
            )
    if len(found) > len(layout):
        more = ", ".join(sorted(map(_said, actual.keys() - expected.keys())))
        raise PlanError(
            f"{name}: the bundle's plan hasn't got {more or 'a tensor twice'}; {REBUILD}"
        )
    return {ours: actual[description] for description, ours in expected.items()}


_Description: TypeAlias = tuple[str, tuple[int, ...], bool]


def _described(tensor: StripTensor) -> _Description:
    return tensor.dtype, tensor.shape, tensor.is_input


def _said(description: _Description) -> str:
    dtype, shape, is_input = description
    size = ", ".join(map(str, ("N", *shape)))
    return f"an {'input' if is_input else 'output'} {dtype} ({size})"
