"""A convolution with what follows it, in the variants that the from-scratch architectures offer."""

from typing import Protocol

from torch import nn

from models.config import Activation

LEAKY_SLOPE = 0.01


class Choices(Protocol):
    """The part of a configuration that shapes every convolution."""

    @property
    def activation(self) -> Activation:
        """What follows every convolution."""
        ...

    @property
    def batch_norm(self) -> bool:
        """Whether to normalise before every activation."""
        ...


class Convolution(nn.Sequential):
    """Convolution of odd kernel size that keeps height and width, normalisation, activation.

    Weights start as He et al. (Delving Deep into Rectifiers, 2015) want them for rectifiers, and as
    Glorot and Bengio (2010) do for saturating activations.

    Shape:
        - Input: (N, C_in, H, W)
        - Output: (N, C_out, H, W)
    """

    def __init__(self, channels_in: int, channels: int, *, kernel: int, choices: Choices) -> None:
        norm = choices.batch_norm
        convolution = nn.Conv2d(channels_in, channels, kernel, padding=kernel // 2, bias=not norm)
        _initialise(convolution, choices.activation)
        normalisation = [nn.BatchNorm2d(channels)] if norm else []
        super().__init__(convolution, *normalisation, make_activation(choices.activation))


def make_activation(name: Activation) -> nn.Module:
    """The layer behind a name."""
    match name:
        case "relu":
            return nn.ReLU(inplace=True)
        case "leaky_relu":
            return nn.LeakyReLU(LEAKY_SLOPE, inplace=True)
        case "tanh":
            return nn.Tanh()
        case "sigmoid":
            return nn.Sigmoid()


def _initialise(convolution: nn.Conv2d, activation: Activation) -> None:
    if activation in {"relu", "leaky_relu"}:
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    else:
        nn.init.xavier_normal_(convolution.weight, nn.init.calculate_gain(activation))
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
