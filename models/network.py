"""From a uint8 strip to one probability map per class, with all pre-processing inside the graph.

uint8 strip (N, 1, H, W) -> normalise -> average-pool -> body -> scores (N, K, h, w) -> probability

The body is any of the architectures in this package. On an edge device time goes into the shallow,
wide layers; so a compact network sees a strip that was averaged down, and its decoder ends before
it is back at full size. The reader of the output upsamples it bilinearly.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig
from models.encoder_unet import EncoderUnet
from models.fcn import Fcn
from models.image_head import ImageHead
from models.unet import Unet

PRIOR_SCORE = -4.6
"""Raw score of a probability of 1 %."""


class Body(Protocol):
    """What an architecture is: grey strips (N, 1, H, W) float in, scores and features out.

    Attributes:
        deepest_channels: C of the deepest features.
    """

    deepest_channels: int

    def __call__(self, grey: Tensor) -> tuple[Tensor, Tensor]:
        """Raw scores (N, K or K + 1, h, w) and the deepest features (N, C, h', w')."""
        ...

    def last_layer(self) -> nn.Conv2d:
        """The layer that makes the scores."""
        ...


class Scores(NamedTuple):
    """What a loss works on.

    Attributes:
        pixel: (N, K, h, w) raw scores, with softmax output (N, K + 1, h, w), background first.
        image: (N, K) raw scores of "class k is anywhere on the strip"; None without image head.
    """

    pixel: Tensor
    image: Tensor | None


class SteelNet(nn.Module):
    """Any of the architectures as the daemon runs it.

    Shape:
        - Input: (N, 1, H, W) uint8; H and W multiples of `config.input_multiple_px`
        - Output: (N, K, H / stride, W / stride) float32 in 0..1
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.body = build_body(config)
        deepest = self.body.deepest_channels
        self.image_head = ImageHead(deepest, config.classes) if config.image_head else None

    def scores(self, strips: Tensor) -> Scores:
        """Raw scores of uint8 strips (N, 1, H, W)."""
        config = self.config
        grey = (
            strips.to(self.body.last_layer().weight.dtype) - config.grey_mean
        ) / config.grey_scale
        if config.input_downsample > 1:
            grey = functional.avg_pool2d(grey, config.input_downsample)
        pixel, deepest = self.body(grey)
        image = None if self.image_head is None else self.image_head(deepest).float()
        return Scores(pixel.float(), image)

    def forward(self, strips: Tensor) -> Tensor:
        """Probability (N, K, h, w) of uint8 strips (N, 1, H, W)."""
        scores = self.scores(strips)
        if self.config.output == "softmax":
            probability = torch.softmax(scores.pixel, dim=1)[:, 1:]
        else:
            probability = torch.sigmoid(scores.pixel)
        if scores.image is None:
            return probability
        return probability * torch.sigmoid(scores.image)[:, :, None, None]


def build_body(config: NetworkConfig) -> EncoderUnet | Unet | Fcn:
    """The architecture that a configuration names, with random weights."""
    match config:
        case EncoderUnetConfig():
            return EncoderUnet(config)
        case UnetConfig():
            return Unet(config)
        case FcnConfig():
            return Fcn(config)


def build_network(config: NetworkConfig) -> SteelNet:
    """A network with random weights that starts at a low probability everywhere.

    A prior of 1 % keeps the first hundred steps from being spent on unlearning "defect everywhere"
    (Lin et al., Focal Loss for Dense Object Detection, 2017, section 4.1).
    """
    network = SteelNet(config)
    bias = network.body.last_layer().bias
    if bias is not None:
        with torch.no_grad():
            bias.fill_(PRIOR_SCORE)
            bias[: bias.numel() - config.classes] = 0.0
    return network
