"""A convolution keeps the size and the spread of what goes through it."""

import pytest
import torch

from models.config import Activation, UnetConfig
from models.convolution import Convolution


@pytest.mark.parametrize("kernel", [1, 3, 7])
def test_height_and_width_stay(kernel: int) -> None:
    layer = Convolution(2, 5, kernel=kernel, choices=UnetConfig())
    assert layer(torch.rand(1, 2, 9, 11)).shape == (1, 5, 9, 11)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_signals_neither_die_nor_explode_without_normalisation(activation: Activation) -> None:
    torch.manual_seed(1)
    choices = UnetConfig(activation=activation, batch_norm=False)
    layers = torch.nn.Sequential(
        *(Convolution(32, 32, kernel=3, choices=choices) for _ in range(20))
    )
    with torch.inference_mode():
        power = layers(torch.randn(1, 32, 32, 32)).square().mean().item()
    assert 0.05 < power < 20


def test_a_normalised_convolution_has_no_bias() -> None:
    assert Convolution(1, 2, kernel=3, choices=UnetConfig(batch_norm=True))[0].bias is None
