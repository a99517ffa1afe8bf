"""What a network can't take is continued with its last pixels."""

import torch

from train.fitting.wrapping import padded


def test_every_grey_value_survives_padding() -> None:
    strips = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    wider = padded(strips, 12)
    assert wider.shape == (1, 1, 24, 24)
    assert wider.dtype == torch.uint8
    assert torch.equal(wider[..., :16, :16], strips)
    assert torch.equal(wider[0, 0, :16, 20], strips[0, 0, :, 15])
    assert torch.equal(wider[0, 0, 20, :16], strips[0, 0, 15])


def test_what_fits_is_left_alone() -> None:
    strips = torch.zeros((1, 1, 32, 64), dtype=torch.uint8)
    assert padded(strips, 32) is strips
