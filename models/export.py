"""From a network in memory to a bundle on disk that has been proved to give the same masks."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX, Probabilities, Strips
from edge_daemon.errors import EdgeDaemonError
from edge_daemon.inference import bundle as format_
from edge_daemon.inference.bundle import Bundle, Manifest, Provenance, load_bundle, sha256_of
from edge_daemon.simulation.strips import draw_strip
from models.architecture import SteelNet
from models.fusion import fuse, round_to_half
from models.onnx_file import INPUT, OUTPUT, write_onnx
from models.program_file import write_program

KNOWN_ANSWER = "known_answer.npz"
TOLERANCE = 0.05
"""Of the known answer: half-precision engines stay well inside it, a wrong engine doesn't."""
ANSWER_LEVELS = 1024
"""Stored probabilities are rounded to so many steps: fifty times finer than the tolerance."""
PARITY_STRIPS = 8
KNOWN_CANDIDATES = 24
GREY_STEP = 8
"""Of the known-answer strip: coarse greys take half the space, and any strip will do."""
MAX_DIFFERING_SHARE = 2e-4
"""Of all cells: rounding weights to half precision moves an outline by a cell here and there."""


class ExportError(EdgeDaemonError):
    """What was written doesn't do what the network does."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a bundle says about itself beside the network.

    Attributes:
        name: letters, digits, `_`, `.`, `-`.
        version: free text.
        classes: in the order of the network's outputs.
        provenance: where the weights come from.
        scores: measured figures.
        card: text of `card.md`.
    """

    name: str
    version: str
    classes: Sequence[DefectClass]
    provenance: Provenance
    scores: Mapping[str, float]
    card: str


def export_bundle(network: SteelNet, folder: Path, *, label: Label) -> Bundle:
    """Write a bundle in place of what is in the folder; a failure leaves the old one untouched.

    Raises:
        ExportError: the label doesn't fit, or the ONNX file gives other masks than the network.
    """
    if len(label.classes) != network.config.classes:
        raise ExportError(f"{len(label.classes)} classes for {network.config.classes} outputs")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as scratch:
        draft = Path(scratch) / folder.name
        draft.mkdir()
        _write_files(network, draft, label=label)
        load_bundle(draft)
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        draft.rename(folder)
    return load_bundle(folder)


def _write_files(network: SteelNet, folder: Path, *, label: Label) -> None:
    plain = round_to_half(fuse(network))
    size = {"height": STRIP_HEIGHT_PX, "width": STRIP_WIDTH_PX}
    write_onnx(plain, folder / format_.ONNX, **size)
    write_program(plain, folder / format_.PROGRAM, **size)
    (folder / format_.CARD).write_text(label.card, encoding="utf-8")
    strips = parity_strips(PARITY_STRIPS)
    answers = run_onnx(folder / format_.ONNX, strips)
    check_parity(_run_torch(network, strips), answers, classes=label.classes)
    known, answers = _known_answer(folder / format_.ONNX, network.config.classes)
    rounded = np.round(answers * ANSWER_LEVELS) / np.float32(ANSWER_LEVELS)
    np.savez_compressed(folder / KNOWN_ANSWER, strip=known, probability=rounded)
    manifest = _manifest(network, folder, label=label)
    text = manifest.model_dump_json(indent=2, by_alias=True)
    (folder / format_.MANIFEST).write_text(text + "\n", encoding="utf-8")


def _manifest(network: SteelNet, folder: Path, *, label: Label) -> Manifest:
    stride = network.config.output_stride
    shape = ["N", network.config.classes, STRIP_HEIGHT_PX // stride, STRIP_WIDTH_PX // stride]
    content = {
        "schema": 1,
        "name": label.name,
        "version": label.version,
        "classes": [
            {
                "id": one.id,
                "name": one.name,
                "threshold": one.threshold,
                "min_area_px": one.min_area_px,
                "severity": one.severity,
            }
            for one in label.classes
        ],
        "input": {
            "name": INPUT,
            "dtype": "uint8",
            "shape": ["N", 1, STRIP_HEIGHT_PX, STRIP_WIDTH_PX],
        },
        "output": {
            "name": OUTPUT,
            "dtype": "float32",
            "shape": shape,
            "stride": stride,
            "kind": "probability",
        },
        "provenance": label.provenance.model_dump(mode="json"),
        "scores": dict(label.scores),
        "known_answer": {"file": KNOWN_ANSWER, "tolerance": TOLERANCE},
        "files": {path.name: sha256_of(path) for path in sorted(folder.iterdir())},
    }
    return Manifest.model_validate_json(json.dumps(content))


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


def _known_answer(path: Path, classes: int) -> tuple[Strips, Probabilities]:
    """One strip (1, 1, H, W) that shows every class, and what the ONNX file says of it.

    It is put together from pieces of simulated strips, each from where a class is found most
    surely: a class that the strip doesn't show could die in an engine and nobody would notice.
    """
    candidates = parity_strips(KNOWN_CANDIDATES)
    answers = run_onnx(path, candidates)  # (N, K, h, w)
    stride, piece_px = STRIP_WIDTH_PX // answers.shape[3], STRIP_WIDTH_PX // classes
    pieces = []
    for plane in range(classes):
        at = np.unravel_index(answers[:, plane].argmax(), answers[:, plane].shape)
        left = int(np.clip(at[2] * stride - piece_px // 2, 0, STRIP_WIDTH_PX - piece_px))
        pieces.append(candidates[at[0] : at[0] + 1, :, :, left : left + piece_px])
    rest = candidates[:1, :, :, : STRIP_WIDTH_PX - piece_px * classes]
    strip = np.concatenate([*pieces, rest], axis=3) // GREY_STEP * GREY_STEP
    return strip, run_onnx(path, strip)


def run_onnx(path: Path, strips: Strips) -> Probabilities:
    """Probabilities (N, K, h, w) of an ONNX file on the CPU."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.concatenate([session.run([OUTPUT], {INPUT: strip[None]})[0] for strip in strips])


def check_parity(
    expected: Probabilities, found: Probabilities, *, classes: Sequence[DefectClass]
) -> None:
    """Compare two answers (N, K, h, w) where it matters: on which side of its threshold a cell is.

    Raises:
        ExportError: too many cells change sides, or a probability is off by more than the
            tolerance.
    """
    thresholds = np.array([one.threshold for one in classes], np.float32)[:, None, None]
    share = float(np.mean((expected > thresholds) != (found > thresholds)))
    worst = float(np.abs(expected - found).max())
    if share > MAX_DIFFERING_SHARE or worst > TOLERANCE:
        raise ExportError(
            f"{share:.1e} of all cells change sides (at most {MAX_DIFFERING_SHARE:.0e}), largest "
            f"difference {worst:.4f} (at most {TOLERANCE}): the exported file isn't the network"
        )


@torch.inference_mode()
def _run_torch(network: SteelNet, strips: Strips) -> Probabilities:
    network.eval()
    return np.concatenate([network(torch.from_numpy(strip[None])).numpy() for strip in strips])
