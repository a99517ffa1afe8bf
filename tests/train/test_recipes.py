"""Shipped recipes are configurations that this version takes, and networks that it builds."""

from pathlib import Path

import pytest
import torch

from models.network import build_network
from train.config import load_config

RECIPES = sorted((Path(__file__).parents[2] / "train" / "recipes").glob("*.toml"))
STRIDES = {"steel-nano": 4, "steel-small": 4, "unet-resnet34": 1, "unet-2015": 1, "fcn-8s": 1}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_builds_the_network_that_it_describes(path: Path) -> None:
    config = load_config(path, [])
    assert config.network.output_stride == STRIDES[path.stem]
    with torch.device("meta"):
        network = build_network(config.network)
    assert network.body.last_layer().out_channels == config.network.score_channels


def test_every_recipe_is_there() -> None:
    assert {path.stem for path in RECIPES} == set(STRIDES)


def test_the_shipped_networks_have_an_image_head_and_learn_it() -> None:
    for name in ("steel-nano", "steel-small"):
        config = load_config(next(path for path in RECIPES if path.stem == name), [])
        assert config.network.image_head
        assert config.loss.image > 0
