"""A running average of the weights: what is evaluated and exported."""

import copy

import torch
from torch import Tensor

from models.network import SteelNet


class WeightAverage:
    """Exponential moving average over a network's weights and batch-norm statistics.

    The decay warms up as (1 + n) / (10 + n) with n updates made, so that the random start is
    forgotten.

    Args:
        network: is copied; the average stays on its device.
        decay: 0..1; at 0 the average is the network itself.
    """

    network: SteelNet

    def __init__(self, network: SteelNet, decay: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(requires_grad=False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, network: SteelNet) -> None:
        """Take in the weights after an optimiser step."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        current = network.state_dict()
        for name, mean in self.network.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def state_dict(self) -> dict[str, int | dict[str, Tensor]]:
        """All that is needed to go on."""
        return {"network": self.network.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, dict[str, Tensor]], *, updates: int) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state)
        self.updates = updates
