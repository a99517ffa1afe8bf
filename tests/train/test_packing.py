"""Provenance: fingerprints change with what they stand for, and with nothing else."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train.config import RunConfig
from train.packing import config_sha256, fingerprint, flat_figures
from train.scoring import PixelCounts, score
from train.strips import StripSet


@pytest.fixture
def strips() -> StripSet:
    pixels = np.zeros((2, 256, 1600), np.uint8)
    return StripSet(("a.jpg", "b.jpg"), pixels, pixels.copy())


def test_one_pixel_one_label_or_one_name_changes_the_fingerprint(strips: StripSet) -> None:
    images, classes = strips.images.copy(), strips.classes.copy()
    images[1, 5, 5] = 1
    classes[0, 5, 5] = 1
    changed = [
        replace(strips, images=images),
        replace(strips, classes=classes),
        replace(strips, names=("a.jpg", "c.jpg")),
    ]
    assert len({fingerprint(one) for one in (strips, *changed)}) == 4


def test_the_place_of_the_data_does_not_change_the_hash_of_a_configuration() -> None:
    config = RunConfig()
    moved = config.model_copy(
        update={"data": config.data.model_copy(update={"root": Path("elsewhere")})}
    )
    assert config_sha256(moved) == config_sha256(config)
    assert config_sha256(config.model_copy(update={"seed": 2})) != config_sha256(config)


def test_figures_are_named_by_set_and_class() -> None:
    truth = np.array([[10, 0, 0, 0], [0, 0, 0, 0]])
    figures = flat_figures({"validation": score(PixelCounts(truth, truth // 2, truth // 2))})
    assert figures["validation/class_1/dice_positive"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["validation/class_1/recall"] == 1
    assert figures["validation/false_alarms"] == 0
