"""Folding batch normalisation changes nothing but the number of layers."""

import pytest
import torch
from torch import nn

from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig
from models.fusion import fuse, round_to_half
from models.network import SteelNet
from tests.models.conftest import MakeNetwork

CONFIGS = (
    EncoderUnetConfig(encoder="efficientnet_b0", decoder_channels=(8, 8)),
    EncoderUnetConfig(encoder="tf_efficientnet_lite0", decoder_channels=(8, 8)),
    EncoderUnetConfig(encoder="resnet34", decoder_channels=(8, 8)),
    EncoderUnetConfig(encoder="resnet50", decoder_channels=(8, 8)),
    UnetConfig(width=4, depth=2),
    UnetConfig(width=4, depth=2, upsampling="max_unpooling"),
    FcnConfig(width=2, head_width=4),
)


def strips() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (2, 1, 64, 128), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: getattr(one, "encoder", None))
def test_the_fused_network_gives_the_same_answer_without_normalisation(
    config: NetworkConfig, make_network: MakeNetwork
) -> None:
    network = make_network(config)
    fused = fuse(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fused.modules())
    with torch.inference_mode():
        assert torch.allclose(fused(strips()), network(strips()), atol=1e-4)


def test_the_original_is_left_as_it_was(tiny_network: SteelNet) -> None:
    before = {name: tensor.clone() for name, tensor in tiny_network.state_dict().items()}
    round_to_half(fuse(tiny_network))
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in tiny_network.state_dict().items()
    )


def test_rounded_weights_survive_half_precision(tiny_network: SteelNet) -> None:
    rounded = round_to_half(fuse(tiny_network))
    assert all(torch.equal(p, p.half().float()) for p in rounded.parameters())
