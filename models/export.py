"""From a network in memory to a bundle on disk that has been proved to give the same masks."""

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from edge_daemon.inference import manifest as format_
from edge_daemon.inference.bundle import MANIFEST, Bundle, load_bundle, sha256_of
from edge_daemon.inference.manifest import Int8, Manifest, Provenance
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
    with _draft_of(folder) as draft:
        draft.mkdir()
        _write_files(network, draft, label=label)
    return load_bundle(folder)


def add_int8(folder: Path, network: Path, offer: Int8) -> Bundle:
    """Put an INT8 network into a finished bundle, in place of the one that it may have.

    A failure leaves the bundle untouched.

    Args:
        folder: of the bundle.
        network: ONNX file with Q/DQ pairs.
        offer: what the manifest is to say of it.

    Raises:
        BundleError: the bundle is not whole, or the offer doesn't fit it.
    """
    manifest = load_bundle(folder).manifest
    with _draft_of(folder) as draft:
        shutil.copytree(folder, draft)
        shutil.copyfile(network, draft / offer.file)
        files = dict(manifest.files) | {offer.file: sha256_of(draft / offer.file)}
        changed = {"int8": offer, "files": dict(sorted(files.items()))}
        _write_manifest(manifest.model_copy(update=changed), draft)
    return load_bundle(folder)


@contextmanager
def _draft_of(folder: Path) -> Iterator[Path]:
    """A folder to write a bundle to; it takes the place of the other once it is found whole."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as scratch:
        draft = Path(scratch) / folder.name
        yield draft
        load_bundle(draft)
        if folder.exists():
            folder.rename(Path(scratch) / "replaced")
        draft.rename(folder)


def _write_files(network: SteelNet, folder: Path, *, label: Label) -> None:
    size = {"height": STRIP_HEIGHT_PX, "width": STRIP_WIDTH_PX}
    write_onnx(round_to_half(fuse(network)), folder / format_.ONNX, **size)
    write_program(network, folder / format_.PROGRAM, **size)
    _check_files(network, folder, classes=label.classes)
    (folder / format_.CARD).write_text(label.card, encoding="utf-8")
    write_known_answer(folder / KNOWN_ANSWER, folder / format_.ONNX)
    _write_manifest(_manifest(network, folder, label=label), folder)


def _write_manifest(manifest: Manifest, folder: Path) -> None:
    # A key that wasn't set is left out: bundles without INT8 don't speak of it.
    text = manifest.model_dump_json(indent=2, by_alias=True, exclude_unset=True)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


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
