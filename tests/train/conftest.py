"""A data set of simulated strips laid out as the real one, and the smallest training run."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_daemon.core import rle
from edge_daemon.simulation.strips import draw_strip
from train.config import RunConfig

STRIPS = 12
CLEAN = 4


def write_strips(root: Path, count: int = STRIPS, clean: int = CLEAN) -> Path:
    """Write `count` strips, the first `clean` of them without defects."""
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


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a small data set once; nobody changes it."""
    return write_strips(tmp_path_factory.mktemp("data") / "strips")


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
