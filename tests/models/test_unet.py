"""The U-Net of 2015: its size, its shapes, its choices."""

import pytest
import torch
from torch import nn

from models.config import Activation, UnetConfig, Upsampling
from models.network import build_network
from models.unet import Unet

WAYS: tuple[Upsampling, ...] = ("nearest", "bed_of_nails", "max_unpooling", "transposed")


def test_the_published_network_has_31_million_weights() -> None:
    with torch.device("meta"):
        network = Unet(UnetConfig(batch_norm=False))
    count = sum(parameter.numel() for parameter in network.parameters())
    # 23 convolutions as published, one input channel, four classes
    convolutions = [
        one for one in network.modules() if isinstance(one, nn.Conv2d | nn.ConvTranspose2d)
    ]
    assert len(convolutions) == 23
    assert count == pytest.approx(31.03e6, rel=1e-3)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("depth", [1, 3])
def test_the_answer_is_as_large_as_the_strip(way: Upsampling, depth: int) -> None:
    config = UnetConfig(width=4, depth=depth, upsampling=way)
    network = Unet(config).eval()
    scores, deepest = network(torch.rand(2, 1, 24, 40))
    assert scores.shape == (2, 4, 24, 40)
    assert deepest.shape == (2, network.deepest_channels, 24 >> depth, 40 >> depth)
    assert config.input_multiple_px == 2**depth


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("relu", nn.ReLU),
        ("leaky_relu", nn.LeakyReLU),
        ("tanh", nn.Tanh),
        ("sigmoid", nn.Sigmoid),
    ],
)
def test_the_activation_is_the_one_that_was_chosen(name: Activation, layer: type) -> None:
    network = Unet(UnetConfig(width=4, depth=1, activation=name))
    kinds = (nn.ReLU, nn.LeakyReLU, nn.Tanh, nn.Sigmoid)
    found = [type(one) for one in network.modules() if isinstance(one, kinds)]
    assert found == [layer] * 6


@pytest.mark.parametrize("norm", [True, False])
def test_batch_normalisation_is_a_choice(norm: bool) -> None:  # noqa: FBT001 - the choice itself
    network = Unet(UnetConfig(width=4, depth=1, batch_norm=norm))
    assert any(isinstance(one, nn.BatchNorm2d) for one in network.modules()) is norm


def test_dropout_works_while_training_only() -> None:
    torch.manual_seed(1)
    network = Unet(UnetConfig(width=4, depth=1, dropout=0.5, batch_norm=False))
    strip = torch.rand(1, 1, 8, 8)
    assert not torch.equal(network(strip)[1], network(strip)[1])
    network.eval()
    assert torch.equal(network(strip)[1], network(strip)[1])


@pytest.mark.parametrize("way", WAYS)
def test_it_learns_to_tell_dark_from_bright(way: Upsampling) -> None:
    torch.manual_seed(1)
    network = build_network(UnetConfig(width=4, depth=2, upsampling=way, classes=1)).train()
    strips = torch.zeros((2, 1, 16, 16), dtype=torch.uint8)
    strips[:, :, 4:12, :8] = 255
    truth = (strips > 0).float()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    loss = torch.tensor(float("nan"))
    for _ in range(60):
        loss = nn.functional.binary_cross_entropy_with_logits(network.scores(strips).pixel, truth)
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
    assert loss.item() < 0.05
