"""The U-Net of Ronneberger, Fischer and Brox (2015), with padded convolutions.

The published network's convolutions are unpadded, so its output is smaller than its input and the
skip connections are cropped. Padding keeps both sizes equal; everything else is as published where
the configuration doesn't say otherwise.
"""

import torch
from torch import Tensor, nn

from models.config import UnetConfig
from models.convolution import Convolution
from models.upsampling import Doubling, Pooling


class Unet(nn.Module):
    """Two convolutions per level, down and up again, with a skip connection at each.

    Shape:
        - Input: (N, 1, H, W) float; H and W multiples of 2 ^ depth
        - Output: scores (N, K, H, W) and the deepest features (N, C, H / 2 ^ depth, W / 2 ^ depth)
    """

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        widths = [config.width * 2**level for level in range(config.depth + 1)]
        self.down = nn.ModuleList(
            _two_convolutions(before, width, config)
            for before, width in zip([1, *widths], widths, strict=False)
        )
        self.pooling = Pooling(tell_places=config.upsampling == "max_unpooling")
        self.dropout = nn.Dropout(config.dropout)
        upwards = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.doublings = nn.ModuleList(
            Doubling(deep, width, way=config.upsampling) for deep, width in upwards
        )
        self.up = nn.ModuleList(_two_convolutions(2 * width, width, config) for _, width in upwards)
        self.head = nn.Conv2d(config.width, config.score_channels, 1)
        self.deepest_channels = widths[-1]

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and deepest features of a normalised grey strip."""
        skips: list[tuple[Tensor, Tensor | None]] = []
        x = self.down[0](grey)
        for block in list(self.down)[1:]:
            pooled, places = self.pooling(x)
            skips.append((x, places))
            x = block(pooled)
        x = deepest = self.dropout(x)
        for doubling, block in zip(self.doublings, self.up, strict=True):
            skip, places = skips.pop()
            x = block(torch.cat((skip, doubling(x, places)), dim=1))
        return self.head(x), deepest

    def last_layer(self) -> nn.Conv2d:
        """The layer that makes the scores."""
        return self.head


def _two_convolutions(before: int, width: int, config: UnetConfig) -> nn.Sequential:
    return nn.Sequential(
        Convolution(before, width, kernel=3, choices=config),
        Convolution(width, width, kernel=3, choices=config),
    )
