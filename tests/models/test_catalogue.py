"""Every name stands for a network that the daemon can run."""

import pytest
import torch

from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.catalogue import catalogue
from models.config import EncoderUnetConfig
from models.network import build_network

PUBLISHED = {
    *(f"unet-efficientnet-b{number}" for number in range(8)),
    *(f"unet-efficientnet-lite{number}" for number in range(5)),
    *(f"unet-resnet{depth}" for depth in (34, 50, 101, 152)),
    *("unet-2015", "fcn-32s", "fcn-16s", "fcn-8s", "steel-nano", "steel-small"),
}
LARGE = tuple(f"unet-{family}" for family in ("efficientnet-b", "efficientnet-lite", "resnet1"))


def test_all_published_networks_are_there() -> None:
    assert catalogue().keys() >= PUBLISHED


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name.startswith(LARGE) else ())
        for name in catalogue()
    ],
)
def test_the_network_answers_for_the_daemons_strip(name: str) -> None:
    config = catalogue()[name]
    with torch.device("meta"):
        network = build_network(config).eval()
        answer = network(torch.zeros((2, 1, STRIP_HEIGHT_PX, STRIP_WIDTH_PX), dtype=torch.uint8))
    stride = config.output_stride
    assert answer.shape == (2, 4, STRIP_HEIGHT_PX // stride, STRIP_WIDTH_PX // stride)


@pytest.mark.parametrize("name", ["steel-nano", "steel-small"])
def test_the_shipped_networks_score_at_stride_four_and_have_an_image_head(name: str) -> None:
    config = catalogue()[name]
    assert isinstance(config, EncoderUnetConfig)
    assert (config.output_stride, config.image_head) == (4, True)
