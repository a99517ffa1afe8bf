"""The network: a U-Net whose decoder stops early, with all pre-processing inside the graph.

uint8 strip (N, 1, H, W) -> normalise -> average-pool -> encoder -> decoder -> probability (N, K,
h, w)

On an edge device time goes into the shallow, wide layers. So the encoder sees a strip that was
averaged down by `input_downsample`, and the decoder ends before it is back at full size: with the
defaults h = H / 4. The reader of the output upsamples it bilinearly; defects are far larger than 4
pixels.
"""

from typing import Annotated, Literal

import timm
import torch
from pydantic import BaseModel, ConfigDict, Field
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from torch import Tensor, nn
from torch.nn import functional

ENCODER_DEPTH = 5


class NetworkConfig(BaseModel):
    """What decides the shape of the graph and of every weight.

    Attributes:
        encoder: one of timm's EfficientNets; the `lite` ones have neither swish nor squeeze-excite
            and so stay fast and exact in low precision.
        encoder_stages: how many of its seven stages are kept. The seventh holds a fifth of the
            weights.
        input_downsample: the strip is averaged over squares of so many pixels first.
        decoder_channels: width of each decoder level, deepest first; the number of levels decides
            the output stride.
        classes: K, number of defect classes; background is "none of them".
        grey_mean: grey value (0..255) that becomes 0.
        grey_scale: grey values per unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = "efficientnet_lite0"
    encoder_stages: Literal[6, 7] = 6
    input_downsample: Literal[1, 2] = 2
    decoder_channels: Annotated[tuple[int, ...], Field(min_length=2, max_length=5)] = (
        96,
        64,
        48,
        32,
    )
    classes: Annotated[int, Field(ge=1)] = 4
    grey_mean: float = 127.0
    grey_scale: Annotated[float, Field(gt=0)] = 128.0

    @property
    def output_stride(self) -> int:
        """Strip pixels per output pixel, along each axis."""
        return int(self.input_downsample * 2 ** (ENCODER_DEPTH - len(self.decoder_channels)))


class EfficientNetEncoder(nn.Module):
    """The first stages of one of timm's EfficientNets, giving a feature map per resolution.

    Shape:
        - Input: (N, 1, H, W) float32
        - Output: six maps, the input and then strides 2, 4, 8, 16, 32; `out_channels` names their
          widths
    """

    def __init__(self, name: str, stages: int) -> None:
        super().__init__()
        trunk = timm.create_model(name, pretrained=False, in_chans=1)
        self.conv_stem = trunk.conv_stem
        self.bn1 = trunk.bn1
        self.blocks = trunk.blocks[:stages]
        kept = trunk.feature_info[:-1]
        deepest = self.blocks[-1][-1].conv_pwl.out_channels
        self.taps = (*(info["stage"] for info in kept), stages)
        self.out_channels = (1, *(info["num_chs"] for info in kept), deepest)

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Feature maps of a normalised grey strip, finest first."""
        features = [grey]
        x = self.bn1(self.conv_stem(grey))
        for stage, block in enumerate(self.blocks, start=1):
            x = block(x)
            if stage in self.taps:
                features.append(x)
        return features


class SteelNet(nn.Module):
    """U-Net from uint8 strips to one probability map per class.

    Shape:
        - Input: (N, 1, H, W) uint8; H and W divisible by 32 x `input_downsample`
        - Output: (N, K, H / stride, W / stride) float32 in 0..1
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = EfficientNetEncoder(config.encoder, config.encoder_stages)
        self.decoder = UnetDecoder(
            encoder_channels=self.encoder.out_channels,
            decoder_channels=config.decoder_channels,
            n_blocks=len(config.decoder_channels),
        )
        self.head = nn.Conv2d(config.decoder_channels[-1], config.classes, kernel_size=3, padding=1)

    def logits(self, strips: Tensor) -> Tensor:
        """Raw scores (N, K, h, w) of uint8 strips (N, 1, H, W): what a loss works on."""
        grey = (strips.to(self.head.weight.dtype) - self.config.grey_mean) / self.config.grey_scale
        if self.config.input_downsample > 1:
            grey = functional.avg_pool2d(grey, self.config.input_downsample)
        scores: Tensor = self.head(self.decoder(self.encoder(grey)))
        return scores.float()

    def forward(self, strips: Tensor) -> Tensor:
        """Probability (N, K, h, w) of uint8 strips (N, 1, H, W)."""
        return torch.sigmoid(self.logits(strips))


def build_network(config: NetworkConfig) -> SteelNet:
    """A network with random weights whose head starts at a low probability everywhere.

    A prior of 1 % keeps the first hundred steps from being spent on unlearning "defect everywhere"
    (Lin et al., Focal Loss for Dense Object Detection, 2017, section 4.1).
    """
    network = SteelNet(config)
    if network.head.bias is not None:
        nn.init.constant_(network.head.bias, -4.6)
    return network
