"""How large a network is and how much it computes: counted on its graph, not measured.

Counted are convolutions (transposed ones too) and matrix products, a multiplication and an addition
as two operations, for one strip; activations, normalisation, pooling and interpolation, which are
a few per cent, aren't. Papers mostly count multiply-adds: half of this. Everything happens on
torch's meta device, where tensors have shapes and no values, so the largest network takes seconds
and no memory.
"""

from dataclasses import dataclass

import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.config import NetworkConfig
from models.network import build_network

GIGA = 1e9
RGB = 3


@dataclass(frozen=True, slots=True)
class Complexity:
    """Size of a network.

    Attributes:
        parameters: number of weights.
        gflops: 10^9 operations per strip, a multiply-add being two.
    """

    parameters: int
    gflops: float


def measure_complexity(
    config: NetworkConfig, *, height: int = STRIP_HEIGHT_PX, width: int = STRIP_WIDTH_PX
) -> Complexity:
    """Size of the network of a configuration, on one strip of height x width."""
    return Complexity(_parameters_of(config), gflops(config, height=height, width=width))


def parameters(network: nn.Module) -> int:
    """Number of weights; running statistics are none."""
    return sum(parameter.numel() for parameter in network.parameters())


def gflops(
    config: NetworkConfig, *, height: int = STRIP_HEIGHT_PX, width: int = STRIP_WIDTH_PX
) -> float:
    """10^9 operations for one strip of height x width, a multiply-add being two."""
    with torch.device("meta"):
        network = build_network(config)
        strip = torch.zeros((1, 1, height, width), dtype=torch.uint8)
    return _count(network, strip)


def measure_classifier(encoder: str, *, side: int) -> Complexity:
    """Size of the whole classification net that an encoder comes from.

    That is the net of the papers' tables: colour pictures of side x side pixels, 1000 classes.
    """
    with torch.device("meta"):
        network = timm.create_model(encoder, in_chans=RGB)
        picture = torch.zeros((1, RGB, side, side))
    return Complexity(parameters(network), _count(network, picture))


def _parameters_of(config: NetworkConfig) -> int:
    with torch.device("meta"):
        return parameters(build_network(config))


def _count(network: nn.Module, example: torch.Tensor) -> float:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network.eval()(example)
    operations: int = counter.get_total_flops()
    return operations / GIGA
