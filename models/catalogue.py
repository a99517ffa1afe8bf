"""The networks that have a name, with the configuration behind each.

unet-ENCODER   a U-Net at full resolution on a pretrained encoder, with the decoder widths that are
               usual for it
steel-nano     the encoder sees the strip at half resolution, scores at stride 4
steel-small    the encoder sees the strip as it is, scores at stride 4
unet-2015      the U-Net of Ronneberger et al. (2015), with batch normalisation: without it hardly
               trains from scratch on few strips (`network.batch_norm=false` is as published)
fcn-32s, fcn-16s, fcn-8s
               the networks of Long et al. (2015), likewise; theirs began with VGG's weights
"""

from collections.abc import Mapping
from types import MappingProxyType

from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig

FULL_DECODER = (256, 128, 64, 32, 16)
SIZES = (*(f"b{number}" for number in range(8)), *(f"lite{number}" for number in range(5)))
DEPTHS = (34, 50, 101, 152)
PUBLISHED_DROPOUT = 0.5


def catalogue() -> Mapping[str, NetworkConfig]:
    """Name -> configuration, small and fast ones first."""
    return MappingProxyType(
        {
            **_compact(),
            **{f"unet-efficientnet-{size}": _full(f"efficientnet_{size}") for size in SIZES},
            **{f"unet-resnet{depth}": _full(f"resnet{depth}") for depth in DEPTHS},
            "unet-2015": UnetConfig(dropout=PUBLISHED_DROPOUT),
            "fcn-32s": FcnConfig(coarsest_stride=32, dropout=PUBLISHED_DROPOUT),
            "fcn-16s": FcnConfig(coarsest_stride=16, dropout=PUBLISHED_DROPOUT),
            "fcn-8s": FcnConfig(coarsest_stride=8, dropout=PUBLISHED_DROPOUT),
        }
    )


def _compact() -> dict[str, NetworkConfig]:
    return {
        "steel-nano": EncoderUnetConfig(
            encoder_stages=6,
            input_downsample=2,
            decoder_channels=(96, 64, 48, 32),
            image_head=True,
        ),
        "steel-small": EncoderUnetConfig(
            encoder_stages=6, decoder_channels=(96, 64, 48), image_head=True
        ),
        "compact-efficientnet-b0": EncoderUnetConfig(
            encoder="efficientnet_b0", decoder_channels=(128, 64, 32, 16)
        ),
        "compact-resnet34": EncoderUnetConfig(
            encoder="resnet34", decoder_channels=(128, 64, 32, 16)
        ),
    }


def _full(encoder: str) -> EncoderUnetConfig:
    return EncoderUnetConfig(encoder=encoder, decoder_channels=FULL_DECODER)
