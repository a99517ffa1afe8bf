"""Do the files of a bundle give the masks that the network gives?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import Probabilities, Strips
from edge_daemon.errors import EdgeDaemonError
from edge_daemon.simulation.strips import draw_strip
from models.onnx_file import INPUT, OUTPUT, open_onnx

TOLERANCE = 0.05
"""Of a probability: half-precision engines stay well inside it, a wrong engine doesn't."""
MAX_DIFFERING_SHARE = 2e-4
"""Of all cells: rounding weights to half precision moves an outline by a cell here and there."""


class ExportError(EdgeDaemonError):
    """What was written doesn't do what the network does."""


def parity_strips(count: int) -> Strips:
    """Simulated strips (N, 1, H, W), all with defects."""
    strips: list[Strips] = []
    seed = 0
    while len(strips) < count:
        grey, classes = draw_strip(np.random.default_rng(seed))
        seed += 1
        if np.unique(classes).size > 1:
            strips.append(grey[None, None])
    return np.concatenate(strips)


def check_parity(
    expected: Probabilities,
    found: Probabilities,
    *,
    classes: Sequence[DefectClass],
    what: str = "the exported file",
) -> None:
    """Compare two answers (N, K, h, w) where it matters: on which side of its threshold a cell is.

    Raises:
        ExportError: too many cells change sides, or a probability is off by more than the
            tolerance.
    """
    thresholds = np.array([one.threshold for one in classes], np.float32)[:, None, None]
    share = float(np.mean((expected > thresholds) != (found > thresholds)))
    worst = float(np.abs(expected - found).max())
    # written so that a NaN fails
    if not (share <= MAX_DIFFERING_SHARE and worst <= TOLERANCE):
        raise ExportError(
            f"{share:.1e} of all cells change sides (at most {MAX_DIFFERING_SHARE:.0e}), largest "
            f"difference {worst:.4f} (at most {TOLERANCE}): {what} isn't the network"
        )


def run_onnx(path: Path, strips: Strips) -> Probabilities:
    """Probabilities (N, K, h, w) of an ONNX file on the CPU."""
    session = open_onnx(path)
    return np.concatenate([session.run([OUTPUT], {INPUT: strip[None]})[0] for strip in strips])


@torch.inference_mode()
def run_torch(network: nn.Module, strips: Strips) -> Probabilities:
    """Probabilities (N, K, h, w) of a network in evaluation mode, or of a program."""
    return np.concatenate([network(torch.from_numpy(strip[None])).numpy() for strip in strips])
