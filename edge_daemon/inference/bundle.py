"""Bundles: a folder with a network ready to run and all that is needed to use it rightly.

    bundle.json       the manifest, below
    model.onnx        the network; weights are stored in half precision and cast when loaded
    model.pt2         the same network as a torch.export program in half precision
    card.md           what it was trained on, how well it does and on what, limits, terms
    known_answer.npz  arrays `strip` (1, 1, H, W) uint8 and `probability` (1, K, h, w) float32
    model.int8.onnx   only where it was found good enough: the same network with INT8 convolutions,
                      written as QuantizeLinear and DequantizeLinear pairs, for TensorRT

The hashes find damage and mix-ups. They are no signature: who can change a file can change the
manifest.
"""

import hashlib
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from edge_daemon.core.defects import DefectClass
from edge_daemon.errors import BundleError
from edge_daemon.inference.manifest import ONNX, PROGRAM, Manifest

MANIFEST = "bundle.json"
_MAX_MANIFEST_BYTES = 2**20
_MAX_ITEM_BYTES, _MAX_ARRAY_HEADERS_BYTES = 8, 4096

Strip: TypeAlias = NDArray[np.uint8]
"""(1, 1, H, W) grey values."""
Probability: TypeAlias = NDArray[np.float32]
"""(1, K, h, w) in 0..1."""


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
    def int8_path(self) -> Path | None:
        """The INT8 network for TensorRT's parser, where the bundle offers one."""
        int8 = self.manifest.int8
        return None if int8 is None else self.directory / int8.file

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
        text = _read_manifest(path)
        manifest = Manifest.model_validate_json(text)
    except OSError as error:
        raise BundleError(
            f"{path}: {error.strerror}; [bundle] path must name a folder with a {MANIFEST}"
        ) from error
    except ValidationError as error:
        raise BundleError(f"{path}: {_faults(error)}; export the bundle again") from error
    try:
        _check_files(directory, manifest)
    except OSError as error:
        raise BundleError(
            f"{error.filename}: {error.strerror}; let the daemon's user read the bundle's folder"
        ) from error
    return Bundle(directory, manifest, hashlib.sha256(text).hexdigest())


def read_known_answer(bundle: Bundle) -> tuple[Strip, Probability]:
    """The known answer: strip (1, 1, H, W) and the probability (1, K, h, w) it must give.

    Raises:
        BundleError: the file is no such pair of arrays.
    """
    path = bundle.directory / bundle.manifest.known_answer.file
    try:
        _check_unpacked_size(path, bundle.manifest)
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


def _read_manifest(path: Path) -> bytes:
    """Its text; a pipe would keep us waiting for ever, a device never end."""
    if path.exists() and not path.is_file():
        raise BundleError(f"{path}: no plain file; copy the bundle again")
    with path.open("rb") as file:
        text = file.read(_MAX_MANIFEST_BYTES + 1)
    if len(text) > _MAX_MANIFEST_BYTES:
        raise BundleError(
            f"{path}: more than {_MAX_MANIFEST_BYTES} bytes, which no manifest has; "
            "export the bundle again"
        )
    return text


def _check_unpacked_size(path: Path, manifest: Manifest) -> None:
    """Refuse an archive that unpacks to more than its arrays take, of whatever type they are."""
    numbers = math.prod(manifest.input.shape[1:]) + math.prod(manifest.output.shape[1:])
    most = numbers * _MAX_ITEM_BYTES + _MAX_ARRAY_HEADERS_BYTES
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(member.file_size for member in archive.infolist())
    if unpacked > most:
        raise BundleError(
            f"{path}: unpacks to {unpacked} bytes, {most} at most; export the bundle again"
        )


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
