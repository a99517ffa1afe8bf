"""The quickest run there is: a thin U-Net without an encoder, on small crops."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from train.config import RunConfig
from train.judging.counting import count_pixels
from train.judging.figures import Prior
from train.judging.scoring import Score, score


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """What is random in a test doesn't depend on the tests that ran before it."""
    torch.manual_seed(0)


def quick_config(root: Path, **changes: dict[str, Any] | Any) -> RunConfig:  # noqa: ANN401 - TOML values
    table: dict[str, Any] = {
        "imagenet": False,
        "threads": 1,
        "evaluate_every": 4,
        "checkpoint_every": 2,
        "network": {"architecture": "unet", "width": 2, "depth": 2},
        "data": {
            "root": root,
            "validation_share": 0.3,
            "simulated_strips": 3,
            "simulated_share": 0.3,
        },
        "optim": {
            "steps": 4,
            "batch": 2,
            "crop_width": 64,
            "crop_height": 64,
            "warmup_steps": 2,
            "full_width_share": 0.0,
        },
    }
    for section, values in changes.items():
        is_section = isinstance(values, dict) and section in table
        table[section] = {**table[section], **values} if is_section else values
    return RunConfig.model_validate(table)


def score_of(*, present: tuple[int, ...], found: tuple[int, ...]) -> Score:
    """Score strips that have one class each, of which those of some classes were found."""
    truth = [np.full((4, 4), class_id, np.uint8) for class_id in present]
    predicted = [one * np.uint8(one[0, 0] in found) for one in truth]
    counts = count_pixels(truth, predicted, class_count=2)
    return score(counts, prior=Prior(0.5, (0.5, 0.5)))


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    """Let threads not wait for each other: beside another busy process that takes far longer."""
    torch.set_num_threads(1)


@pytest.fixture
def quick_run(root: Path) -> RunConfig:
    """Configure four steps."""
    return quick_config(root)
