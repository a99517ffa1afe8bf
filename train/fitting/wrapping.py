"""A network as its training step calls it: compiled, and one of several if there are more."""

from contextlib import AbstractContextManager, nullcontext

import torch
from timm.layers import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel

from models.network import Scores, SteelNet
from train.config import OptimConfig
from train.fitting.distributed import Ranks
from train.fitting.single_values import let_single_values_pass


class Scoring(nn.Module):
    """The network's raw scores as a `forward`: what DDP and compilers take hold of."""

    def __init__(self, network: SteelNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, strips: Tensor) -> Scores:
        """Raw scores of uint8 strips (N, 1, H, W)."""
        return self.network.scores(strips)


def wrap(network: SteelNet, optim: OptimConfig, *, device: torch.device, ranks: Ranks) -> nn.Module:
    """A module whose `forward` gives scores and whose gradients are the network's own.

    Normalisations take their statistics from all ranks on GPUs; on processors, where torch can't,
    each rank takes its own.
    """
    if ranks.count > 1 and device.type == "cuda":
        convert_sync_batchnorm(network)
    if optim.batch == 1:
        let_single_values_pass(network)
    scoring: nn.Module = Scoring(network)
    if optim.compile:
        scoring.compile()  # in place, so that weights keep their names
    if ranks.count > 1:
        devices = [device] if device.type == "cuda" else None
        scoring = DistributedDataParallel(scoring, device_ids=devices)
    return scoring


def holding_back(scoring: nn.Module, *, is_last: bool) -> AbstractContextManager[None]:
    """Until a step's last batch, ranks keep their gradients to themselves."""
    if is_last or not isinstance(scoring, DistributedDataParallel):
        return nullcontext()
    context: AbstractContextManager[None] = scoring.no_sync()
    return context


def padded(strips: Tensor, multiple_px: int) -> Tensor:
    """Continue strips (N, 1, H, W) to the right and downwards with their last pixels.

    The daemon and the validation do the same to what a network can't take.
    """
    height, width = strips.shape[-2:]
    down, right = -height % multiple_px, -width % multiple_px
    if not down and not right:
        return strips
    # torch pads no integers this way; every grey value is exact in half precision
    wider = functional.pad(strips.half(), (0, right, 0, down), mode="replicate")
    return wider.to(strips.dtype)
