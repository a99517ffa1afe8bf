"""The known answer of a bundle: one strip, and what any engine must say of it.

known_answer.npz holds `strip` (1, 1, H, W) uint8 and `probability` (1, K, h, w) float32.
"""

from pathlib import Path

import numpy as np

from edge_daemon.core.tiling import STRIP_WIDTH_PX, Probabilities, Strips
from models.parity import parity_strips, run_onnx

CANDIDATES = 24
MIN_PIECE_PX = 200
"""Narrower pieces show too little around a defect."""
GREY_STEP = 8
"""Coarse greys take half the space, and any strip will do."""
ANSWER_LEVELS = 256
"""Stored probabilities are rounded to so many steps: the error is a 25th of the tolerance."""


def write_known_answer(path: Path, onnx_path: Path) -> None:
    """Ask an ONNX file, and store strip and answer."""
    strip, answer = draw_known_answer(onnx_path)
    rounded = np.round(answer * ANSWER_LEVELS) / np.float32(ANSWER_LEVELS)
    np.savez_compressed(path, strip=strip, probability=rounded)


def draw_known_answer(onnx_path: Path) -> tuple[Strips, Probabilities]:
    """One strip (1, 1, H, W) that shows the classes, and what the ONNX file says of it.

    It is put together from pieces of simulated strips, each from where a class is found most
    surely: a class that the strip doesn't show could die in an engine and nobody would notice.
    Where there are more classes than fit, those that are found most surely are shown.
    """
    candidates = parity_strips(CANDIDATES)
    answers = run_onnx(onnx_path, candidates)  # (N, K, h, w)
    surest = np.argsort(-answers.max(axis=(0, 2, 3)), kind="stable")
    planes = sorted(surest[: STRIP_WIDTH_PX // MIN_PIECE_PX])
    stride, piece_px = STRIP_WIDTH_PX // answers.shape[3], STRIP_WIDTH_PX // len(planes)
    pieces = []
    for plane in planes:
        at = np.unravel_index(answers[:, plane].argmax(), answers[:, plane].shape)
        left = int(np.clip(at[2] * stride - piece_px // 2, 0, STRIP_WIDTH_PX - piece_px))
        pieces.append(candidates[at[0] : at[0] + 1, :, :, left : left + piece_px])
    rest = candidates[:1, :, :, : STRIP_WIDTH_PX - piece_px * len(planes)]
    strip = np.concatenate([*pieces, rest], axis=3) // GREY_STEP * GREY_STEP
    return strip, run_onnx(onnx_path, strip)
