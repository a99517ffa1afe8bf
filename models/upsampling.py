"""Doubling a feature map's height and width, in the four ways that are in use.

nearest        every value fills its 2 x 2 square
bed of nails   every value goes to its square's upper left corner, the rest is zero
max unpooling  every value goes to where the encoder's pooling found its maximum, the rest is zero
               (Zeiler and Fergus, 2014; Noh et al., Learning Deconvolution Network, 2015)
transposed     a transposed convolution, whose weights are learned

Max unpooling is written with a place 0..3 in each square instead of torch's index into the whole
map, and so exports to plain ONNX operators that every runtime and engine builder knows.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.config import Upsampling

SQUARE = 4
"""Values in a 2 x 2 square, row by row."""


def pool_with_places(x: Tensor) -> tuple[Tensor, Tensor]:
    """Maximum of every 2 x 2 square, and where it was.

    Shape:
        - Input: (N, C, H, W), H and W even
        - Output: maxima (N, C, H / 2, W / 2), and places of the same shape, 0..3; the first where
          several are equal
    """
    count, channels, height, width = x.shape
    squares = x.reshape(count, channels, height // 2, 2, width // 2, 2).transpose(3, 4)
    maxima, places = squares.flatten(4).max(dim=4)
    return maxima, places


def max_unpool(x: Tensor, places: Tensor) -> Tensor:
    """Put every value where its pooling found the maximum: (N, C, h, w) -> (N, C, 2h, 2w)."""
    square = torch.arange(SQUARE, device=x.device)
    spread = x[..., None] * (places[..., None] == square).to(x.dtype)  # (N, C, h, w, 4)
    return _lay_out(spread)


def bed_of_nails(x: Tensor) -> Tensor:
    """Put every value into its square's upper left corner: (N, C, h, w) -> (N, C, 2h, 2w)."""
    return _lay_out(functional.pad(x[..., None], (0, SQUARE - 1)))


def nearest(x: Tensor) -> Tensor:
    """Fill every square with its value: (N, C, h, w) -> (N, C, 2h, 2w)."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def _lay_out(squares: Tensor) -> Tensor:
    count, channels, height, width, _ = squares.shape
    rows = squares.reshape(count, channels, height, width, 2, 2).transpose(3, 4)
    return rows.reshape(count, channels, 2 * height, 2 * width)


def double(x: Tensor, places: Tensor | None, *, way: Upsampling) -> Tensor:
    """Any of the ways that have no weights; `places` are those of the pooling to be undone.

    Raises:
        ValueError: max unpooling without places, or a way that has weights.
    """
    if way == "nearest":
        return nearest(x)
    if way == "bed_of_nails":
        return bed_of_nails(x)
    if way == "max_unpooling" and places is not None:
        return max_unpool(x, places)
    raise ValueError(f"{way} needs the places of a pooling, or has weights of its own")


class Pooling(nn.Module):
    """2 x 2 maximum pooling that also tells the places, where the decoder will want them."""

    def __init__(self, *, tell_places: bool) -> None:
        super().__init__()
        self.tell_places = tell_places

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Maxima (N, C, H / 2, W / 2), and places of the same shape or None."""
        if self.tell_places:
            return pool_with_places(x)
        return functional.max_pool2d(x, 2), None


class Doubling(nn.Module):
    """Twice the height and width, and another number of channels.

    A transposed convolution does both at once. The other ways change the number of channels first,
    by a 1x1 convolution: that is cheaper than after, and gives max unpooling the channels of the
    pooling that it undoes.

    Shape:
        - Input: (N, C_in, h, w); places (N, C_out, h, w) of the pooling, for max unpooling
        - Output: (N, C_out, 2h, 2w)
    """

    def __init__(self, channels_in: int, channels: int, *, way: Upsampling) -> None:
        super().__init__()
        self.way = way
        if way == "transposed":
            self.learned: nn.Module = nn.ConvTranspose2d(channels_in, channels, 2, stride=2)
        else:
            self.learned = nn.Conv2d(channels_in, channels, 1)

    def forward(self, x: Tensor, places: Tensor | None) -> Tensor:
        """Double a feature map."""
        y: Tensor = self.learned(x)
        return y if self.way == "transposed" else double(y, places, way=self.way)
