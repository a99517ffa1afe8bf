"""What a network costs at the least: operations and bytes of its layers, over what the GPU can do.

A layer reads its input and its weights once and writes its output once, in half precision; what is
done to single values (normalisation, activations) is taken to be done on the way. Then it takes at
least the longer of operations / rate and bytes / bandwidth (Williams, Waterman and Patterson,
Roofline, 2009). A network takes at least the sum of its layers, unless layers are fused so that
what lies between them never leaves the chip, or fits into a cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.export.passes import move_to_device_pass
from torch.utils._python_dispatch import TorchDispatchMode

from edge_daemon.inference.buckets import STRIP_SHAPE

HALF_BYTES = 2
MULTIPLY_ADD = 2
"""Operations."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution, for one batch.

    Attributes:
        name: shapes, such as "conv 3x3 32>64 at 64x400".
        operations: a multiply-add is two.
        moved_bytes: input, weights and output, each once.
    """

    name: str
    operations: float
    moved_bytes: float


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What the GPU can do, measured.

    Attributes:
        operations_per_s: of a large half-precision matrix product.
        bytes_per_s: of a large copy on the device, read and written.
    """

    operations_per_s: float
    bytes_per_s: float

    def floor_ms(self, layer: Layer) -> float:
        """The least that a layer takes."""
        return 1e3 * max(
            layer.operations / self.operations_per_s, layer.moved_bytes / self.bytes_per_s
        )


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that a network takes for one batch.

    Attributes:
        gflop: 10^9 operations.
        megabytes: 10^6 bytes moved.
        total_ms: sum of what each layer takes at the least.
        memory_ms: the part of it in layers that the bandwidth limits.
        weakest: the layer that takes longest.
        weakest_ms: what it takes.
    """

    gflop: float
    megabytes: float
    total_ms: float
    memory_ms: float
    weakest: str
    weakest_ms: float


def floor_of(layers: Sequence[Layer], ceilings: Ceilings) -> Floor:
    """Add a network up."""
    weakest = max(layers, key=ceilings.floor_ms)
    waiting = [
        ceilings.floor_ms(layer)
        for layer in layers
        if layer.moved_bytes / ceilings.bytes_per_s > layer.operations / ceilings.operations_per_s
    ]
    return Floor(
        gflop=sum(layer.operations for layer in layers) / 1e9,
        megabytes=sum(layer.moved_bytes for layer in layers) / 1e6,
        total_ms=sum(map(ceilings.floor_ms, layers)),
        memory_ms=sum(waiting),
        weakest=weakest.name,
        weakest_ms=ceilings.floor_ms(weakest),
    )


def layers_of(program: Path, *, batches: Sequence[int]) -> dict[int, list[Layer]]:
    """The convolutions of a bundle's `model.pt2`, found by running it on shapes without values."""
    network = move_to_device_pass(torch.export.load(program), "meta").module()
    found = {}
    for batch in batches:
        strips = torch.zeros((batch, 1, *STRIP_SHAPE), dtype=torch.uint8, device="meta")
        # in inference mode convolutions would come under other names
        with torch.no_grad(), _Convolutions() as seen:
            network(strips)
        found[batch] = seen.layers
    return found


class _Convolutions(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch
    """Writes down every convolution that is done."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch
        self.layers: list[Layer] = []

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401 - torch's own signature
        types: Any,  # noqa: ANN401 - torch's own signature
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - torch's own signature
        given = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default:
            self.layers.append(_layer(args[0], args[1], given))
        return given


def _layer(taken: torch.Tensor, weight: torch.Tensor, given: torch.Tensor) -> Layer:
    into, per_group, down, across = weight.shape
    kind = "conv" if per_group == taken.shape[1] else "depthwise"
    h, w = given.shape[2:]
    return Layer(
        f"{kind} {down}x{across} {taken.shape[1]}>{into} at {h}x{w}",
        float(MULTIPLY_ADD * given.numel() * per_group * down * across),
        float(HALF_BYTES * (taken.numel() + weight.numel() + given.numel())),
    )
