"""Data sets of drawn strips in both layouts, and the smallest training run."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_daemon.core import rle
from edge_daemon.simulation.strips import draw_strip
from train.config import RunConfig

STRIPS = 12
CLEAN = 4
MASK_CLASSES = 3
PALETTE = [0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255]


def write_strips(root: Path, count: int = STRIPS, clean: int = CLEAN) -> Path:
    """Write `count` strips as Severstal's, the first `clean` of them without defects."""
    (root / "images").mkdir(parents=True)
    rows = ["ImageId,ClassId,EncodedPixels"]
    seed, written = 0, 0
    while written < count:
        image, classes = draw_strip(np.random.default_rng(seed))
        seed += 1
        if classes.any() == (written < clean):
            continue
        name = f"{written:03d}.jpg"
        cv2.imwrite(str(root / "images" / name), image)
        present = np.unique(classes[classes > 0])
        rows += [f"{name},{k},{rle.encode(classes == k)}" for k in present]
        written += 1
    (root / "train.csv").write_text("\n".join(rows) + "\n")
    return root


def write_masks(root: Path, count: int = STRIPS, clean: int = CLEAN) -> Path:
    """Write `count` small images of different sizes with index masks of classes 1..3.

    A defect is a darker, brighter or striped rectangle; the first `clean` images have none. Half of
    the masks have a palette.
    """
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        height, width = (int(side) for side in rng.integers((70, 130), (130, 260)))
        coarse = rng.integers(90, 160, (6, 9), dtype=np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        classes = np.zeros((height, width), np.uint8)
        if number >= clean:
            class_id = 1 + number % MASK_CLASSES
            top, left = int(rng.integers(height - 40)), int(rng.integers(width - 60))
            spot = np.s_[top : top + 30, left : left + 50]
            classes[spot] = class_id
            image[spot] = {1: image[spot] // 3, 2: 250 - image[spot] // 4}.get(class_id, 60)
            if class_id == MASK_CLASSES:
                image[top : top + 30 : 4, left : left + 50] = 220
        cv2.imwrite(str(root / "images" / f"{number:02d}{('.png', '.bmp')[number % 2]}"), image)
        mask = Image.fromarray(classes)
        if number % 4 < 2:
            mask.putpalette(PALETTE)
        mask.save(root / "masks" / f"{number:02d}.png")
    return root


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small data set once; nobody changes it."""
    return write_strips(tmp_path_factory.mktemp("data") / "strips")


@pytest.fixture(scope="session")
def mask_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a set of 12 small images with index masks of 3 classes once; nobody changes it."""
    return write_masks(tmp_path_factory.mktemp("data") / "masks")


@pytest.fixture
def tiny_run(root: Path) -> RunConfig:
    """Configure four steps of a thin network on narrow crops."""
    return RunConfig.model_validate(
        {
            "imagenet": False,
            "threads": 1,
            "evaluate_every": 4,
            "checkpoint_every": 2,
            "network": {"decoder_channels": [8, 8, 8, 8]},
            "data": {
                "root": root,
                "validation_share": 0.3,
                "simulated_strips": 3,
                "simulated_share": 0.3,
            },
            "optim": {"steps": 4, "batch": 2, "crop_width": 128, "warmup_steps": 2},
        }
    )
