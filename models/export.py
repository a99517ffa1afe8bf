"""From a network in memory to a bundle on disk that has been proved to give the same masks."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from edge_daemon.inference import bundle as format_
from edge_daemon.inference.bundle import Bundle, Manifest, Provenance, load_bundle, sha256_of
from models.fusion import fuse, round_to_half
from models.known_answer import write_known_answer
from models.network import SteelNet
from models.onnx_file import INPUT, OUTPUT, write_onnx
from models.parity import (
    TOLERANCE,
    ExportError,
    check_parity,
    parity_strips,
    run_onnx,
    run_torch,
)
from models.program_file import read_in_single_precision, write_program

KNOWN_ANSWER = "known_answer.npz"
PARITY_STRIPS = 4


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
        ExportError: the label or the daemon's strips don't fit the network, or one of the files
            gives other masks than the network.
    """
    if len(label.classes) != network.config.classes:
        raise ExportError(f"{len(label.classes)} classes for {network.config.classes} outputs")
    multiple = network.config.input_multiple_px
    if STRIP_HEIGHT_PX % multiple or STRIP_WIDTH_PX % multiple:
        raise ExportError(
            f"strips of {STRIP_HEIGHT_PX} x {STRIP_WIDTH_PX} are no multiples of {multiple} pixels;"
            " choose a smaller network.input_downsample or network.depth"
        )
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
    size = {"height": STRIP_HEIGHT_PX, "width": STRIP_WIDTH_PX}
    write_onnx(round_to_half(fuse(network)), folder / format_.ONNX, **size)
    write_program(network, folder / format_.PROGRAM, **size)
    _check_files(network, folder, classes=label.classes)
    (folder / format_.CARD).write_text(label.card, encoding="utf-8")
    write_known_answer(folder / KNOWN_ANSWER, folder / format_.ONNX)
    manifest = _manifest(network, folder, label=label)
    text = manifest.model_dump_json(indent=2, by_alias=True)
    (folder / format_.MANIFEST).write_text(text + "\n", encoding="utf-8")


def _check_files(network: SteelNet, folder: Path, *, classes: Sequence[DefectClass]) -> None:
    strips = parity_strips(PARITY_STRIPS)
    expected = run_torch(network.eval(), strips)
    answers = {
        format_.ONNX: run_onnx(folder / format_.ONNX, strips),
        format_.PROGRAM: run_torch(read_in_single_precision(folder / format_.PROGRAM), strips),
    }
    for name, found in answers.items():
        check_parity(expected, found, classes=classes, what=name)


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
