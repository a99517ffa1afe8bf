import cv2
import numpy as np
import pytest

from edge_daemon.simulation.marks import SOUND, Mark
from edge_daemon.simulation.recipes import RECIPES, draw_kinds

DEFECTS = ["pit", "pit_row", "inclusion", "scratch", "gouge", "flakes", "patch", "roll_mark"]
FALSE_FRIENDS = ["paint", "chalk", "water_stain", "splash", "oil_drop"]


def draw(kind: str, seed: int) -> Mark:
    rng = np.random.default_rng(seed)
    height, width = RECIPES[kind].draw_size(rng)
    return RECIPES[kind].draw(rng, height, width)


def test_every_recipe_is_a_defect_or_a_false_friend() -> None:
    assert {*DEFECTS, "long_scratch", *FALSE_FRIENDS} == set(RECIPES)


@pytest.mark.parametrize("kind", DEFECTS)
@pytest.mark.parametrize("seed", range(12))
def test_a_defect_is_visible_inside_its_label_and_nowhere_else(kind: str, seed: int) -> None:
    mark = draw(kind, seed)
    contrast = np.abs(mark.gain - 1)
    inside, outside = contrast[mark.label], contrast[~mark.label]
    assert np.quantile(inside, 0.9) > 0.2
    assert outside.mean() < 0.25 * inside.mean()


@pytest.mark.parametrize("kind", DEFECTS)
@pytest.mark.parametrize("seed", range(12))
def test_a_defect_has_one_connected_label(kind: str, seed: int) -> None:
    label = draw(kind, seed).label.astype(np.uint8)
    pieces, _ = cv2.connectedComponents(label, connectivity=8)
    assert pieces == 2


@pytest.mark.parametrize("kind", FALSE_FRIENDS)
@pytest.mark.parametrize("seed", range(6))
def test_a_false_friend_is_visible_and_not_labelled(kind: str, seed: int) -> None:
    mark = draw(kind, seed)
    assert mark.class_id == SOUND
    assert not mark.label.any()
    assert np.abs(mark.gain - 1).max() > 0.03


@pytest.mark.parametrize("kind", RECIPES)
def test_the_same_randomness_draws_the_same_mark(kind: str) -> None:
    first, second = draw(kind, 7), draw(kind, 7)
    assert np.array_equal(first.gain, second.gain)
    assert np.array_equal(first.label, second.label)


def test_kinds_come_as_often_as_their_shares_say() -> None:
    kinds = draw_kinds(np.random.default_rng(0), {"pit": 3, "patch": 1}, 4000)
    assert 0.72 < kinds.count("pit") / 4000 < 0.78
