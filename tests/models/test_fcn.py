"""FCN-32s, 16s and 8s: their size, their upsampling, their skip connections."""

from typing import Literal

import pytest
import torch
from torch import nn
from torch.nn import functional

from models.config import FcnConfig, Upsampling
from models.fcn import Fcn, SmoothScores, TransposeScores

WAYS: tuple[Upsampling, ...] = ("nearest", "bed_of_nails", "max_unpooling", "transposed")
VGG_16_WEIGHTS = 138_357_544
"""With 1000 classes and colour pictures (Simonyan and Zisserman, 2015: 138 M)."""


def bilinear(scores: torch.Tensor, factor: int) -> torch.Tensor:
    return functional.interpolate(
        scores, scale_factor=float(factor), mode="bilinear", align_corners=False
    )


def test_the_trunk_is_vgg_16_with_its_fully_connected_layers() -> None:
    with torch.device("meta"):
        network = Fcn(FcnConfig(batch_norm=False))
    trunk = sum(
        p.numel() for part in (network.blocks, network.fully_connected) for p in part.parameters()
    )
    colours, classifier = 2 * 64 * 9, 4096 * 1000 + 1000
    assert trunk == VGG_16_WEIGHTS - colours - classifier


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("coarsest", [32, 16, 8])
def test_the_answer_is_as_large_as_the_strip(way: Upsampling, coarsest: Literal[32, 16, 8]) -> None:
    config = FcnConfig(width=2, head_width=6, upsampling=way, coarsest_stride=coarsest)
    scores, deepest = Fcn(config).eval()(torch.rand(2, 1, 64, 96))
    assert scores.shape == (2, 4, 64, 96)
    assert deepest.shape == (2, 6, 2, 3)


@pytest.mark.parametrize("factor", [2, 8, 32])
def test_a_transposed_convolution_starts_as_bilinear_interpolation(factor: int) -> None:
    scores = torch.randn(2, 3, 3, 4)
    found = TransposeScores(3, factor)(scores, None)
    assert torch.allclose(found, bilinear(scores, factor), atol=1e-5)


def test_smoothed_nearest_neighbours_start_as_bilinear_interpolation() -> None:
    scores = torch.randn(2, 3, 3, 4)
    assert torch.allclose(SmoothScores(3, "nearest")(scores, None), bilinear(scores, 2), atol=1e-6)


def test_smoothed_nails_keep_their_values_and_start_linear_between_them() -> None:
    scores = torch.randn(2, 3, 3, 4)
    found = SmoothScores(3, "bed_of_nails")(scores, None)
    assert torch.allclose(found[:, :, ::2, ::2], scores, atol=1e-6)
    between = (scores[:, :, :, 1:] + scores[:, :, :, :-1]) / 2
    assert torch.allclose(found[:, :, ::2, 1:-1:2], between, atol=1e-6)


@pytest.mark.parametrize(("coarsest", "strides"), [(32, []), (16, ["16"]), (8, ["16", "8"])])
def test_poolings_down_to_the_coarsest_stride_are_scored_as_well(
    coarsest: Literal[32, 16, 8], strides: list[str]
) -> None:
    network = Fcn(FcnConfig(width=2, head_width=4, coarsest_stride=coarsest))
    assert sorted(network.skips) == sorted(strides)


@pytest.mark.parametrize("way", WAYS)
def test_skip_connections_are_silent_until_they_have_learned(way: Upsampling) -> None:
    torch.manual_seed(2)
    network = Fcn(FcnConfig(width=2, head_width=4, upsampling=way)).eval()
    strip = torch.rand(1, 1, 64, 64)
    before = network(strip)[0]
    skip = network.skips["8"]
    assert isinstance(skip, nn.Conv2d)
    with torch.no_grad():
        skip.weight.fill_(0.1)
    after = network(strip)[0]
    with torch.no_grad():
        skip.weight.zero_()
    assert torch.equal(network(strip)[0], before)
    assert not torch.allclose(after, before)


@pytest.mark.parametrize("way", WAYS)
def test_the_first_scores_are_even_up_to_the_border(way: Upsampling) -> None:
    network = Fcn(FcnConfig(width=2, head_width=4, upsampling=way)).eval()
    last = network.last_layer()
    assert last.bias is not None
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, -4.6)
    scores = network(torch.rand(1, 1, 64, 64))[0]
    assert torch.allclose(scores, torch.tensor(-4.6), atol=1e-5)
