"""Folding batch normalisation changes nothing but the number of layers."""

import torch
from torch import nn

from models.architecture import SteelNet
from models.fusion import fuse, round_to_half


def strips() -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (2, 1, 64, 128), dtype=torch.uint8, generator=generator)


def test_no_batch_normalisation_is_left(tiny_network: SteelNet) -> None:
    assert not any(isinstance(module, nn.BatchNorm2d) for module in fuse(tiny_network).modules())


def test_the_fused_network_gives_the_same_answer(tiny_network: SteelNet) -> None:
    with torch.inference_mode():
        assert torch.allclose(fuse(tiny_network)(strips()), tiny_network(strips()), atol=1e-4)


def test_the_original_is_left_as_it_was(tiny_network: SteelNet) -> None:
    before = {name: tensor.clone() for name, tensor in tiny_network.state_dict().items()}
    round_to_half(fuse(tiny_network))
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in tiny_network.state_dict().items()
    )


def test_rounded_weights_survive_half_precision(tiny_network: SteelNet) -> None:
    rounded = round_to_half(fuse(tiny_network))
    assert all(torch.equal(p, p.half().float()) for p in rounded.parameters())
