"""Encoders: timm's EfficientNets and ResNets, giving a feature map per resolution.

Tensors keep timm's names, so that timm's weights fit by name.
"""

from typing import TypeAlias

import timm
from torch import Tensor, nn

from edge_daemon.errors import ConfigurationError

EFFICIENTNETS = tuple(
    f"{prefix}efficientnet_{size}"
    for prefix in ("", "tf_")
    for size in (*(f"b{number}" for number in range(8)), *(f"lite{number}" for number in range(5)))
)
"""timm's names; `tf_` pads as TensorFlow does, for weights that were trained so."""
RESNETS = ("resnet34", "resnet50", "resnet101", "resnet152")
EFFICIENTNET_STAGES = 7


class EncoderError(ConfigurationError):
    """An encoder that isn't there, or not in this form."""


class EfficientNetEncoder(nn.Module):
    """The first stages of one of timm's EfficientNets (Tan and Le, 2019).

    Shape:
        - Input: (N, 1, H, W) float; H and W multiples of 32
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
        self.out_channels: tuple[int, ...] = (1, *(info["num_chs"] for info in kept), deepest)

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Feature maps of a normalised grey strip, finest first."""
        features = [grey]
        x = self.bn1(self.conv_stem(grey))
        for stage, block in enumerate(self.blocks, start=1):
            x = block(x)
            if stage in self.taps:
                features.append(x)
        return features

    def stem(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """The convolution that sees the strip, and the normalisation behind it."""
        return self.conv_stem, self.bn1


class ResNetEncoder(nn.Module):
    """One of timm's ResNets (He et al., 2016) without its classifier.

    Shape:
        - Input: (N, 1, H, W) float; H and W multiples of 32
        - Output: six maps, the input and then strides 2, 4, 8, 16, 32; `out_channels` names their
          widths
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        trunk = timm.create_model(name, pretrained=False, in_chans=1)
        self.conv1, self.bn1, self.act1, self.maxpool = (
            trunk.conv1,
            trunk.bn1,
            trunk.act1,
            trunk.maxpool,
        )
        self.layer1, self.layer2 = trunk.layer1, trunk.layer2
        self.layer3, self.layer4 = trunk.layer3, trunk.layer4
        self.out_channels: tuple[int, ...] = (1, *(one["num_chs"] for one in trunk.feature_info))

    def forward(self, grey: Tensor) -> list[Tensor]:
        """Feature maps of a normalised grey strip, finest first."""
        x = self.act1(self.bn1(self.conv1(grey)))
        features = [grey, x]
        x = self.maxpool(x)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
            features.append(x)
        return features

    def stem(self) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
        """The convolution that sees the strip, and the normalisation behind it."""
        return self.conv1, self.bn1


Encoder: TypeAlias = EfficientNetEncoder | ResNetEncoder


def build_encoder(name: str, *, stages: int = EFFICIENTNET_STAGES) -> Encoder:
    """An encoder with random weights.

    Args:
        name: one of `EFFICIENTNETS` or `RESNETS`.
        stages: 6 leaves out an EfficientNet's last stage.

    Raises:
        EncoderError: another name, or a ResNet with fewer stages.
    """
    if name in EFFICIENTNETS:
        return EfficientNetEncoder(name, stages)
    if name not in RESNETS:
        known = ", ".join((*EFFICIENTNETS, *RESNETS))
        raise EncoderError(f"network.encoder = {name!r} is unknown; there are {known}")
    if stages != EFFICIENTNET_STAGES:
        raise EncoderError(
            f"network.encoder_stages = {stages}: {name} has no stage to leave out; set it to "
            f"{EFFICIENTNET_STAGES}"
        )
    return ResNetEncoder(name)
