"""Running a network over whole strips and scoring what the daemon would make of its answers."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal, TypeAlias

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import Probabilities
from models.network import SteelNet
from train.data.strips import ClassMap, Grey
from train.devices import autocast
from train.judging.counting import count_pixels, predict_classes
from train.judging.figures import Prior
from train.judging.scoring import Score, score

BATCH_PX = 4 * 256 * 1600
"""Pixels that go through the network at once: four of Severstal's strips."""

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]


@torch.inference_mode()
def predict(
    network: SteelNet,
    images: Sequence[Grey],
    *,
    precision: Precision = "fp32",
    device: str | torch.device = "cpu",
) -> list[Probabilities]:
    """Probabilities (K, h, w) of each image (H, W), in their order.

    An image whose size the network can't take is continued to the right and downwards with its
    last pixels; the answer is cut back to h = ceil(H / stride), w = ceil(W / stride).

    Args:
        network: on that device; it is left in evaluation mode.
        images: of any sizes; those of one size go through together.
        precision: of the arithmetic; fp16 wants a GPU.
        device: where the network is.
    """
    network.eval()
    place = torch.device(device)
    answers: dict[int, Probabilities] = {}
    for rows in _batches(images):
        padded = np.stack([_padded(images[row], network.config.input_multiple_px) for row in rows])
        strips = torch.from_numpy(padded[:, None]).to(place)
        with autocast(place, precision):
            batch = network(strips).float().cpu().numpy()
        height, width = images[rows[0]].shape
        stride = network.config.output_stride
        for row, answer in zip(rows, batch, strict=True):
            answers[row] = answer[:, : -(-height // stride), : -(-width // stride)].copy()
    return [answers[row] for row in range(len(images))]


def score_strips(
    probabilities: Sequence[Probabilities],
    truth: Sequence[ClassMap],
    classes: Sequence[DefectClass],
    *,
    prior: Prior,
    resamples: int = 0,
    seed: int = 0,
) -> Score:
    """Score network output (K, h, w) of each strip against its class map (H, W).

    Args:
        probabilities: of N strips.
        truth: of the same strips.
        classes: thresholds and minimum areas.
        prior: the mix of strips to weigh for.
        resamples: drawings for the intervals; 0 leaves intervals out.
        seed: of the drawings.
    """
    predicted = (
        predict_classes(one, classes, height_px=true_map.shape[0], width_px=true_map.shape[1])
        for one, true_map in zip(probabilities, truth, strict=True)
    )
    return score(
        count_pixels(truth, predicted, class_count=len(classes)),
        prior=prior,
        peaks=peaks(probabilities, class_count=len(classes)),
        resamples=resamples,
        seed=seed,
    )


def peaks(probabilities: Sequence[Probabilities], *, class_count: int) -> NDArray[np.float64]:
    """(N, K) highest probability of each class anywhere on each strip."""
    rows = [one.max(axis=(1, 2)) for one in probabilities]
    return np.array(rows, np.float64).reshape(-1, class_count)


def _batches(images: Sequence[Grey]) -> list[list[int]]:
    """Row numbers of images that go through the network together."""
    by_size: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for row, image in enumerate(images):
        by_size[image.shape].append(row)
    batches = []
    for (height, width), rows in by_size.items():
        count = max(1, BATCH_PX // (height * width))
        batches += [rows[start : start + count] for start in range(0, len(rows), count)]
    return batches


def _padded(image: Grey, multiple_px: int) -> Grey:
    down, right = (-size % multiple_px for size in image.shape)
    padded = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(padded, np.uint8)
