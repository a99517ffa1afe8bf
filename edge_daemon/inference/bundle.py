"""Bundles: a folder with a network ready to run and all that is needed to use it rightly.

    bundle.json       the manifest, below
    model.onnx        the network; weights are stored in half precision and cast when loaded
    model.pt2         the same network as a torch.export program in half precision
    card.md           what it was trained on, how well it does and on what, limits, terms
    known_answer.npz  arrays `strip` (1, 1, H, W) uint8 and `probability` (1, K, h, w) float32

`bundle.json`, schema 1 (unknown keys are refused):

    schema        1
    name          what to call it: letters, digits, `_`, `.`, `-`
    version       free text, changes with every export
    classes       K of {id 1..255, name, threshold, min_area_px, severity minor|major|critical}, in
                  the order of the output's planes; a pixel belongs to a class above `threshold`,
                  a connected region counts from `min_area_px` pixels on
    input         {name, dtype "uint8", shape ["N", 1, H, W]}: grey values, N strips at once
    output        {name, dtype "float32", shape ["N", K, h, w], stride, kind "probability"};
                  h = H / stride, and cell (i, j) is centred on pixel
                  ((i + .5) stride - .5, (j + .5) stride - .5)
    provenance    {data, data_fingerprint, commit, seed, config_sha256, steps, architecture {...}}
    scores        {figure: number}; the card says what each was measured on
    known_answer  {file, tolerance}: no probability may differ from the stored one by more
    files         {name: SHA-256 in hex} of every file in the folder but `bundle.json`

The hashes find damage and mix-ups. They are no signature: who can change a file can change the
manifest.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from edge_daemon.core.defects import DefectClass
from edge_daemon.errors import BundleError

MANIFEST = "bundle.json"
ONNX = "model.onnx"
PROGRAM = "model.pt2"
CARD = "card.md"
SEVERITIES = ("minor", "major", "critical")

Strip: TypeAlias = NDArray[np.uint8]
"""(1, 1, H, W) grey values."""
Probability: TypeAlias = NDArray[np.float32]
"""(1, K, h, w) in 0..1."""


def _unlike_a_severity(name: str) -> str:
    if name in SEVERITIES:
        raise ValueError(f"a class can't be called {name}: that is a severity")
    return name


FileName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
ClassName: TypeAlias = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$"), AfterValidator(_unlike_a_severity)
]
Sha256: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Size: TypeAlias = Annotated[int, Field(ge=1, le=16384)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BundleClass(_Part):
    """One class of defect, as plane number `position in the list` of the output.

    Its name becomes part of fields and labels: `defects_pitting` beside `defects_major`.
    """

    id: Annotated[int, Field(ge=1, le=255)]
    name: ClassName
    threshold: Annotated[float, Field(gt=0, lt=1)]
    min_area_px: Annotated[int, Field(ge=0)]
    severity: Literal["minor", "major", "critical"]


class BundleInput(_Part):
    """The network's one input."""

    name: str
    dtype: Literal["uint8"]
    shape: tuple[Literal["N"], Literal[1], Size, Size]


class BundleOutput(_Part):
    """The network's one output."""

    name: str
    dtype: Literal["float32"]
    shape: tuple[Literal["N"], Size, Size, Size]
    stride: Size
    kind: Literal["probability"]


class Provenance(_Part):
    """Where the weights come from.

    Attributes:
        data: name of the data set.
        data_fingerprint: SHA-256 over the names and pixels that were trained on.
        commit: of this project; "unknown" outside a checkout.
        seed: of the run.
        config_sha256: of the run's configuration.
        steps: optimiser steps made.
        architecture: configuration from which `models` builds the same graph again.
    """

    data: str
    data_fingerprint: Sha256
    commit: str
    seed: Annotated[int, Field(ge=0)]
    config_sha256: Sha256
    steps: Annotated[int, Field(ge=0)]
    architecture: dict[str, JsonValue]


class KnownAnswer(_Part):
    """An input and the output it must give."""

    file: FileName
    tolerance: Annotated[float, Field(gt=0, lt=1)]


class Manifest(_Part):
    """`bundle.json`; the module's docstring says what each key means."""

    schema_: Annotated[Literal[1], Field(alias="schema")]
    name: FileName
    version: Annotated[str, Field(min_length=1, max_length=64)]
    classes: Annotated[tuple[BundleClass, ...], Field(min_length=1)]
    input: BundleInput
    output: BundleOutput
    provenance: Provenance
    scores: dict[str, float]
    known_answer: KnownAnswer
    files: dict[FileName, Sha256]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _, planes, h, w = self.output.shape
        _, _, height, width = self.input.shape
        if planes != len(self.classes):
            raise ValueError(f"output has {planes} planes for {len(self.classes)} classes")
        if (h * self.output.stride, w * self.output.stride) != (height, width):
            raise ValueError(
                f"output {h} x {w} at stride {self.output.stride} isn't {height} x {width}"
            )
        if len({one.id for one in self.classes}) < planes:
            raise ValueError("two classes have the same id")
        if len({one.name for one in self.classes}) < planes:
            raise ValueError("two classes have the same name")
        needed = {ONNX, PROGRAM, CARD, self.known_answer.file}
        if missing := sorted(needed - self.files.keys()):
            raise ValueError(f"files lacks {', '.join(missing)}")
        return self


@dataclass(frozen=True, slots=True)
class Bundle:
    """A folder whose every file is what its manifest says.

    Attributes:
        directory: the folder.
        manifest: its checked manifest.
        fingerprint: SHA-256 of the manifest, which holds those of all other files: identifies the
            bundle.
    """

    directory: Path
    manifest: Manifest
    fingerprint: str

    @property
    def onnx_path(self) -> Path:
        """The network for ONNX Runtime and for TensorRT's parser."""
        return self.directory / ONNX

    @property
    def program_path(self) -> Path:
        """The network for torch."""
        return self.directory / PROGRAM

    @property
    def classes(self) -> tuple[DefectClass, ...]:
        """The classes in the order of the output's planes."""
        return tuple(
            DefectClass(one.id, one.name, one.threshold, one.min_area_px, one.severity)
            for one in self.manifest.classes
        )


def load_bundle(directory: Path) -> Bundle:
    """Check a bundle: schema, file names, every file's SHA-256. The network isn't loaded.

    Raises:
        BundleError: names the file and the remedy.
    """
    path = directory / MANIFEST
    try:
        text = path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"{path}: {error.strerror}; [bundle] path must name a folder with a {MANIFEST}"
        ) from error
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise BundleError(f"{path}: {_faults(error)}; export the bundle again") from error
    _check_files(directory, manifest)
    return Bundle(directory, manifest, hashlib.sha256(text).hexdigest())


def read_known_answer(bundle: Bundle) -> tuple[Strip, Probability]:
    """The known answer: strip (1, 1, H, W) and the probability (1, K, h, w) it must give.

    Raises:
        BundleError: the file is no such pair of arrays.
    """
    path = bundle.directory / bundle.manifest.known_answer.file
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            strip, probability = arrays["strip"], arrays["probability"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BundleError(f"{path}: {error}; export the bundle again") from error
    manifest = bundle.manifest
    _check_array(path, "strip", strip, shape=manifest.input.shape, dtype=manifest.input.dtype)
    _check_array(
        path, "probability", probability, shape=manifest.output.shape, dtype=manifest.output.dtype
    )
    return strip, probability


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_files(directory: Path, manifest: Manifest) -> None:
    present = {entry.name for entry in directory.iterdir()} - {MANIFEST}
    if extra := sorted(present - manifest.files.keys()):
        raise BundleError(f"{directory / extra[0]}: not listed in {MANIFEST}; remove it")
    for name, expected in manifest.files.items():
        path = directory / name
        if not path.is_file() or path.is_symlink():
            raise BundleError(f"{path}: missing or no plain file; copy the bundle again")
        found = sha256_of(path)
        if found != expected:
            raise BundleError(
                f"{path}: SHA-256 begins {found[:12]}, not {expected[:12]}; copy the bundle again"
            )


def _check_array(
    path: Path, name: str, array: NDArray[np.generic], *, shape: tuple[object, ...], dtype: str
) -> None:
    wanted = (1, *shape[1:])
    if array.shape != wanted or array.dtype != dtype:
        raise BundleError(
            f"{path}: {name} is {array.dtype} {array.shape}, expected {dtype} {wanted}; "
            "export the bundle again"
        )


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'manifest'}: {fault['msg']}"
        for fault in error.errors()
    )
