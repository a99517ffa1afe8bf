"""Fully convolutional networks on VGG-16: Long, Shelhamer and Darrell (2015).

VGG-16's convolutions and poolings, its two fully connected layers as convolutions of 7x7 and 1x1,
a 1x1 convolution that scores, and upsampling back to full size. FCN-32s does that in one go;
FCN-16s and FCN-8s stop at the fourth and third pooling and add what these score.

Two deviations from the published network: it pads the strip by 100 pixels all around, because its
7x7 convolution isn't padded; here that convolution is padded instead, and scores are continued
beyond the border before they are upsampled. And its last upsampling is fixed to bilinear
interpolation; here every upsampling starts there and is learned.
"""

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import FcnConfig
from models.convolution import Convolution
from models.upsampling import Doubling, Pooling, double

VGG_16 = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""Blocks of VGG-16, each with a pooling behind: (width in multiples of the first, convolutions)."""
FIRST_HEAD_KERNEL = 7


class Fcn(nn.Module):
    """FCN-32s, FCN-16s or FCN-8s.

    Shape:
        - Input: (N, 1, H, W) float; H and W multiples of 32
        - Output: scores (N, K, H, W) and the deepest features (N, C, H / 32, W / 32)
    """

    def __init__(self, config: FcnConfig) -> None:
        super().__init__()
        widths = [config.width * times for times, _ in VGG_16]
        self.blocks = nn.ModuleList(
            _block(before, width, count, config)
            for before, width, (_, count) in zip([1, *widths], widths, VGG_16, strict=False)
        )
        self.pooling = Pooling(tell_places=config.upsampling == "max_unpooling")
        self.fully_connected = nn.Sequential(
            Convolution(widths[-1], config.head_width, kernel=FIRST_HEAD_KERNEL, choices=config),
            nn.Dropout(config.dropout),
            Convolution(config.head_width, config.head_width, kernel=1, choices=config),
            nn.Dropout(config.dropout),
        )
        self.score = nn.Conv2d(config.head_width, config.score_channels, 1)
        self.factors = _factors(config)
        self.upsamplings = nn.ModuleList(
            _upsampling(config, factor, pooled_channels=width)
            for factor, width in zip(self.factors, reversed(widths), strict=False)
        )
        self.skips = nn.ModuleDict(
            {
                str(stride): _silent(nn.Conv2d(widths[at], config.score_channels, 1))
                for stride, at in ((16, 3), (8, 2))
                if stride >= config.coarsest_stride
            }
        )
        self.deepest_channels = config.head_width

    def forward(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores and deepest features of a normalised grey strip."""
        x, stride = grey, 1
        pooled: dict[int, tuple[Tensor, Tensor | None]] = {}
        for block in self.blocks:
            x, places = self.pooling(block(x))
            stride *= 2
            pooled[stride] = x, places
        deepest = self.fully_connected(x)
        scores = self.score(deepest)
        for upsampling, factor in zip(self.upsamplings, self.factors, strict=True):
            scores = upsampling(scores, pooled[stride][1])
            stride //= factor
            if str(stride) in self.skips:
                scores = scores + self.skips[str(stride)](pooled[stride][0])
        return scores, deepest

    def last_layer(self) -> nn.Conv2d:
        """The layer that makes the scores; what comes behind interpolates, at the beginning."""
        last = self.upsamplings[-1]
        return last.smooth if isinstance(last, UnpoolScores) else self.score


class TransposeScores(nn.Module):
    """A transposed convolution that starts as bilinear interpolation.

    Shape:
        - Input: (N, K, h, w)
        - Output: (N, K, factor h, factor w)
    """

    def __init__(self, channels: int, factor: int) -> None:
        super().__init__()
        # one row more on each side, so that the border interpolates between true values
        self.transposed = nn.ConvTranspose2d(
            channels, channels, 2 * factor, stride=factor, padding=factor // 2 + factor, bias=False
        )
        ramp = 1 - ((torch.arange(2 * factor) + 0.5) / factor - 1).abs()
        _start_as(self.transposed, ramp)

    def forward(self, scores: Tensor, _: Tensor | None) -> Tensor:
        """Upsample scores."""
        upsampled: Tensor = self.transposed(functional.pad(scores, (1, 1, 1, 1), mode="replicate"))
        return upsampled


class SmoothScores(nn.Module):
    """Nearest neighbour or bed of nails, and a 3x3 convolution that makes it bilinear at first.

    Shape:
        - Input: (N, K, h, w)
        - Output: (N, K, 2h, 2w)
    """

    def __init__(self, channels: int, way: Literal["nearest", "bed_of_nails"]) -> None:
        super().__init__()
        self.way = way
        self.smooth = nn.Conv2d(channels, channels, 3, bias=False)
        triangle = torch.tensor([0.5, 1.0, 0.5])
        _start_as(self.smooth, triangle / 2 if way == "nearest" else triangle)

    def forward(self, scores: Tensor, _: Tensor | None) -> Tensor:
        """Upsample scores."""
        # one value more on each side, so that the border interpolates between true values
        wider = double(functional.pad(scores, (1, 1, 1, 1), mode="replicate"), None, way=self.way)
        smooth: Tensor = self.smooth(wider[:, :, 1:-1, 1:-1])
        return smooth


class UnpoolScores(nn.Module):
    """Max unpooling: scores take on the pooling's channels, go to its places, and become scores.

    Shape:
        - Input: (N, K, h, w); places (N, C, h, w) of the pooling
        - Output: (N, K, 2h, 2w)
    """

    def __init__(self, channels: int, pooled_channels: int) -> None:
        super().__init__()
        self.doubling = Doubling(channels, pooled_channels, way="max_unpooling")
        self.smooth = nn.Conv2d(pooled_channels, channels, 3, padding=1)

    def forward(self, scores: Tensor, places: Tensor | None) -> Tensor:
        """Upsample scores."""
        smooth: Tensor = self.smooth(self.doubling(scores, places))
        return smooth


def _factors(config: FcnConfig) -> tuple[int, ...]:
    if config.upsampling != "transposed":
        return (2,) * len(VGG_16)
    doublings = (2,) * {32: 0, 16: 1, 8: 2}[config.coarsest_stride]
    return (*doublings, config.coarsest_stride)


def _upsampling(config: FcnConfig, factor: int, *, pooled_channels: int) -> nn.Module:
    channels = config.score_channels
    if config.upsampling == "transposed":
        return TransposeScores(channels, factor)
    if config.upsampling == "max_unpooling":
        return UnpoolScores(channels, pooled_channels)
    return SmoothScores(channels, config.upsampling)


def _start_as(layer: nn.Conv2d | nn.ConvTranspose2d, profile: Tensor) -> None:
    """Let each channel be filtered by the outer product of a profile with itself."""
    with torch.no_grad():
        layer.weight.zero_()
        for channel in range(layer.out_channels):
            layer.weight[channel, channel] = torch.outer(profile, profile)


def _silent(convolution: nn.Conv2d) -> nn.Conv2d:
    """Scores of a skip connection start at zero, as in the paper."""
    nn.init.zeros_(convolution.weight)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
    return convolution


def _block(before: int, width: int, convolutions: int, config: FcnConfig) -> nn.Sequential:
    widths = [before] + [width] * convolutions
    return nn.Sequential(
        *(Convolution(a, b, kernel=3, choices=config) for a, b in pairwise(widths))
    )
