"""Everything that makes a plan stale, and the SHA-256 over it that names the plan."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

NOTHING = "none"
RECIPE = 1
"""Of our own part in a plan: what is put in half precision, what is counted, which outputs."""
MAX_BATCH = 8
"""Strips at once."""


class Flavour(StrEnum):
    """Whose engine it is; the value is the name of the Python package."""

    TENSORRT = "tensorrt"
    TENSORRT_RTX = "tensorrt_rtx"


class Builder(StrEnum):
    """What makes the plan: TensorRT's own ONNX parser, or torch-tensorrt."""

    ONNX = "onnx"
    TORCH = "torch"


class Precision(StrEnum):
    """What the network computes in."""

    FP16 = "fp16"
    INT8 = "int8"


@dataclass(frozen=True, slots=True)
class Batches:
    """A range of batch sizes, and the one that kernels are chosen for: an optimisation profile.

    Attributes:
        least: smallest number of strips at once.
        best: kernels are the fastest for it.
        most: largest number.
    """

    least: int
    best: int
    most: int


ONE_STRIP = Batches(1, 1, 1)
"""What a single camera asks for: its answer shall not wait for kernels made for eight."""
ANY_STRIPS = Batches(1, MAX_BATCH, MAX_BATCH)


@dataclass(frozen=True, slots=True)
class GpuIdentity:
    """What of a GPU a plan depends on.

    Attributes:
        name: of the model, as its driver says.
        compute_capability: such as 8.9.
        driver: its version.
    """

    name: str = NOTHING
    compute_capability: str = NOTHING
    driver: str = NOTHING

    @property
    def is_there(self) -> bool:
        """False where there is no GPU."""
        return self.compute_capability != NOTHING


class PlanKey(BaseModel):
    """What a plan was, or is to be, made from, by and for.

    Attributes:
        recipe: version of this package's own part.
        bundle: fingerprint of the bundle.
        precision: what the network computes in.
        strip_px: height and width.
        batches: optimisation profiles, the narrowest first.
        builder: what makes it.
        builder_version: of torch-tensorrt; "none" for the parser, which comes with TensorRT.
        flavour: TensorRT or TensorRT-RTX.
        flavour_version: all four numbers: plans run with exactly the version that made them.
        machine: processor's architecture.
        gpu: model.
        compute_capability: of the GPU.
        driver: of the GPU.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: int
    bundle: str
    precision: Precision
    strip_px: tuple[int, int]
    batches: tuple[Batches, ...]
    builder: Builder
    builder_version: str
    flavour: Flavour
    flavour_version: str
    machine: str
    gpu: str
    compute_capability: str
    driver: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 in hex over all of it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def differences(self, other: "PlanKey") -> dict[str, tuple[object, object]]:
        """Fields in which two keys differ, with the values of both."""
        mine, others = self.model_dump(), other.model_dump()
        return {name: (mine[name], others[name]) for name in mine if mine[name] != others[name]}
