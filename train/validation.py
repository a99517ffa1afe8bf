"""Running a network over whole strips and scoring what the daemon would make of its answers."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass
from models.architecture import SteelNet
from train.scoring import Score, count_pixels, predict_classes, score
from train.strips import ClassMap, Grey

BATCH = 4


@torch.inference_mode()
def predict(network: SteelNet, images: Grey, *, precision: str = "fp32") -> NDArray[np.float32]:
    """Probabilities (N, K, h, w) of strips (N, H, W)."""
    network.eval()
    parts = []
    for start in range(0, len(images), BATCH):
        strips = torch.from_numpy(images[start : start + BATCH, None])
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            parts.append(network(strips).float().numpy())
    return np.concatenate(parts)


def score_strips(
    probabilities: NDArray[np.float32], truth: ClassMap, classes: Sequence[DefectClass]
) -> Score:
    """Score network output (N, K, h, w) against class maps (N, H, W)."""
    return score(count_pixels(truth, (predict_classes(one, classes) for one in probabilities)))
