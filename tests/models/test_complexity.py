"""Sizes are those of the papers' tables."""

import pytest
import torch

from models.complexity import gflops, measure_classifier, measure_complexity, parameters
from models.config import EncoderUnetConfig, FcnConfig, UnetConfig
from models.network import build_network

MULTIPLY_ADD = 2

# (million weights, 10^9 multiply-adds, pixels): Tan and Le (2019), table 2
EFFICIENTNETS = {
    "b0": (5.3, 0.39, 224),
    "b1": (7.8, 0.70, 240),
    "b2": (9.2, 1.0, 260),
    "b3": (12.0, 1.8, 300),
    "b4": (19.0, 4.2, 380),
    "b5": (30.0, 9.9, 456),
    "b6": (43.0, 19.0, 528),
    "b7": (66.0, 37.0, 600),
}
# He et al. (2016), table 1, for the multiply-adds
RESNETS = {34: (21.8, 3.6), 50: (25.6, 3.8), 101: (44.5, 7.6), 152: (60.2, 11.3)}


@pytest.mark.parametrize("prefix", ["", pytest.param("tf_", marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", EFFICIENTNETS)
def test_efficientnets_are_as_large_as_published(prefix: str, size: str) -> None:
    millions, multiply_adds, side = EFFICIENTNETS[size]
    found = measure_classifier(f"{prefix}efficientnet_{size}", side=side)
    assert found.parameters / 1e6 == pytest.approx(millions, rel=0.03)
    assert found.gflops / MULTIPLY_ADD == pytest.approx(multiply_adds, rel=0.06)


@pytest.mark.parametrize("depth", RESNETS)
def test_resnets_are_as_large_as_published(depth: int) -> None:
    millions, multiply_adds = RESNETS[depth]
    found = measure_classifier(f"resnet{depth}", side=224)
    assert found.parameters / 1e6 == pytest.approx(millions, rel=0.005)
    # projections in shortcuts, and a stride in the 3x3 convolution instead of the 1x1 before it,
    # cost up to 8 % more than the paper's first version
    assert multiply_adds <= found.gflops / MULTIPLY_ADD <= 1.09 * multiply_adds


def test_one_convolution_counts_as_on_paper() -> None:
    config = UnetConfig(width=1, depth=1, batch_norm=False, classes=1)
    # 3x3 at full size: 1-1, 1-1, 2-1, 1-1; at half: 1-2, 2-2; transposed 2x2: 2-1; 1x1: 1-1
    multiply_adds = 64 * 64 * (9 * (1 + 1 + 2 + 1) + 1) + 32 * 32 * (9 * (2 + 4) + 4 * 2)
    assert gflops(config, height=64, width=64) == pytest.approx(MULTIPLY_ADD * multiply_adds / 1e9)


def test_work_grows_with_the_area_and_weights_do_not() -> None:
    config = EncoderUnetConfig(decoder_channels=(8, 8))
    small = measure_complexity(config, height=64, width=128)
    large = measure_complexity(config, height=128, width=256)
    assert large.gflops == pytest.approx(4 * small.gflops)
    assert large.parameters == small.parameters


def test_the_network_has_as_many_weights_as_were_counted() -> None:
    config = FcnConfig(width=2, head_width=4)
    with torch.device("cpu"):
        assert parameters(build_network(config)) == measure_complexity(config).parameters
