"""What decides the shape of a network's graph and of every weight: one model per architecture.

`architecture` tells them apart; where it is left out, a U-Net on a pretrained encoder is meant.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

ENCODER_DEPTH = 5
"""Times that an encoder halves the resolution."""

Width = Annotated[int, Field(ge=1)]
Upsampling = Literal["nearest", "bed_of_nails", "max_unpooling", "transposed"]
"""How a decoder doubles the resolution."""
Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid"]


class _Network(BaseModel):
    """What every architecture has.

    Attributes:
        classes: K, number of defect classes; background is "none of them".
        output: sigmoid scores each class for itself; softmax lets the classes and background
            compete for each pixel.
        image_head: also score whether a class is anywhere on the strip, and multiply each class's
            map by that probability: it damps false alarms.
        input_downsample: the strip is averaged over squares of so many pixels first.
        grey_mean: grey value (0..255) that becomes 0.
        grey_scale: grey values per unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: Annotated[int, Field(ge=1, le=255)] = 4
    output: Literal["sigmoid", "softmax"] = "sigmoid"
    image_head: bool = False
    input_downsample: Literal[1, 2, 4] = 1
    grey_mean: Annotated[float, Field(allow_inf_nan=False)] = 127.0
    grey_scale: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 128.0

    @property
    def score_channels(self) -> int:
        """Raw scores per pixel: one per class, with softmax one more (the first) for background."""
        return self.classes + (self.output == "softmax")


class EncoderUnetConfig(_Network):
    """A U-Net on an EfficientNet or ResNet encoder.

    Attributes:
        encoder: timm's name of the encoder; `models.catalogue` lists those that are tested.
        encoder_stages: how many of an EfficientNet's seven stages are kept; the seventh holds a
            fifth of the weights. Always 7 (all) for a ResNet.
        decoder_channels: width of each decoder level, deepest first; the number of levels decides
            the output stride.
    """

    architecture: Literal["encoder_unet"] = "encoder_unet"
    encoder: str = "efficientnet_lite0"
    encoder_stages: Literal[6, 7] = 7
    decoder_channels: Annotated[tuple[Width, ...], Field(min_length=1, max_length=5)] = (
        96,
        64,
        48,
        32,
    )

    @property
    def output_stride(self) -> int:
        """Strip pixels per output pixel, along each axis."""
        return int(self.input_downsample * 2 ** (ENCODER_DEPTH - len(self.decoder_channels)))

    @property
    def input_multiple_px(self) -> int:
        """Height and width of a strip are multiples of this."""
        return int(self.input_downsample * 2**ENCODER_DEPTH)


class _FromScratch(_Network):
    """What the architectures without a pretrained encoder leave open.

    Attributes:
        width: channels of the first level (the published networks have 64).
        upsampling: how resolution is doubled on the way up.
        activation: after every convolution.
        batch_norm: normalise before every activation.
        dropout: part of the deepest features that is dropped while training.
    """

    width: Width = 64
    upsampling: Upsampling = "transposed"
    activation: Activation = "relu"
    batch_norm: bool = True
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @property
    def output_stride(self) -> int:
        """Strip pixels per output pixel, along each axis."""
        return int(self.input_downsample)


class UnetConfig(_FromScratch):
    """The U-Net of Ronneberger, Fischer and Brox (2015), with padded convolutions.

    Attributes:
        depth: times that resolution is halved; the published network halves four times.
    """

    architecture: Literal["unet"] = "unet"
    depth: Annotated[int, Field(ge=1, le=6)] = 4

    @property
    def input_multiple_px(self) -> int:
        """Height and width of a strip are multiples of this."""
        return int(self.input_downsample * 2**self.depth)


class FcnConfig(_FromScratch):
    """A fully convolutional network on VGG-16: Long, Shelhamer and Darrell (2015).

    Attributes:
        coarsest_stride: 32 scores the deepest features alone; 16 adds those of the fourth pooling,
            8 those of the third as well: FCN-32s, FCN-16s, FCN-8s.
        head_width: channels of the two layers that were VGG's fully connected ones (4096).
    """

    architecture: Literal["fcn"] = "fcn"
    coarsest_stride: Literal[32, 16, 8] = 8
    head_width: Width = 4096

    @property
    def input_multiple_px(self) -> int:
        """Height and width of a strip are multiples of this."""
        return int(self.input_downsample * 2**ENCODER_DEPTH)


def _architecture(value: object) -> str:
    if isinstance(value, Mapping):
        return str(value.get("architecture", "encoder_unet"))
    return str(getattr(value, "architecture", None))


NetworkConfig: TypeAlias = Annotated[
    Annotated[EncoderUnetConfig, Tag("encoder_unet")]
    | Annotated[UnetConfig, Tag("unet")]
    | Annotated[FcnConfig, Tag("fcn")],
    Discriminator(_architecture),
]
"""Any of the architectures, for use as a pydantic field."""
