"""A decoder on an encoder, as deep as it is told to be."""

import pytest
import torch

from models.config import EncoderUnetConfig
from models.encoder_unet import EncoderUnet


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "resnet34"])
@pytest.mark.parametrize("levels", [1, 3, 5])
def test_each_decoder_level_halves_the_stride(encoder: str, levels: int) -> None:
    config = EncoderUnetConfig(encoder=encoder, decoder_channels=(8,) * levels, classes=3)
    network = EncoderUnet(config).eval()
    with torch.inference_mode():
        scores, deepest = network(torch.rand(2, 1, 64, 96))
    assert scores.shape == (2, 3, 64 >> (5 - levels), 96 >> (5 - levels))
    assert deepest.shape == (2, network.deepest_channels, 2, 3)
    assert config.output_stride == 2 ** (5 - levels)
