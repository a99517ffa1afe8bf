"""Shipped recipes are configurations that this version takes."""

from pathlib import Path

import pytest

from train.config import load_config

RECIPES = sorted((Path(__file__).parents[2] / "train" / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_taken(path: Path) -> None:
    assert load_config(path, []).network.output_stride == 4


def test_there_are_recipes() -> None:
    assert RECIPES
