"""A bundle is taken whole or not at all, and the message says which file and what to do."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_daemon.core.defects import DefectClass
from edge_daemon.errors import BundleError
from edge_daemon.inference.bundle import load_bundle, read_known_answer

Change = Callable[[dict[str, Any]], object]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(folder: Path, content: dict[str, Any]) -> None:
    (folder / "bundle.json").write_text(json.dumps(content))


def read_manifest(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "bundle.json").read_text())
    return content


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a bundle of 64 x 128 strips with two classes at stride 4; its network is no network."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    for name in ("model.onnx", "model.pt2", "card.md"):
        (folder / name).write_text(f"stands for {name}")
    np.savez(
        folder / "known_answer.npz",
        strip=np.full((1, 1, 64, 128), 90, np.uint8),
        probability=np.full((1, 2, 16, 32), 0.25, np.float32),
    )
    write_manifest(
        folder,
        {
            "schema": 1,
            "name": "tiny",
            "version": "1",
            "classes": [
                {
                    "id": number,
                    "name": name,
                    "threshold": 0.5,
                    "min_area_px": 100,
                    "severity": "minor",
                }
                for number, name in ((1, "pitting"), (3, "scratch"))
            ],
            "input": {"name": "strip", "dtype": "uint8", "shape": ["N", 1, 64, 128]},
            "output": {
                "name": "probability",
                "dtype": "float32",
                "shape": ["N", 2, 16, 32],
                "stride": 4,
                "kind": "probability",
            },
            "provenance": {
                "data": "simulated",
                "data_fingerprint": "0" * 64,
                "commit": "unknown",
                "seed": 1,
                "config_sha256": "0" * 64,
                "steps": 10,
                "architecture": {"encoder": "none"},
            },
            "scores": {"validation/dice": 0.5},
            "known_answer": {"file": "known_answer.npz", "tolerance": 0.05},
            "files": {path.name: sha256(path) for path in folder.iterdir()},
        },
    )
    return folder


def test_a_whole_bundle_is_taken(folder: Path) -> None:
    bundle = load_bundle(folder)
    assert bundle.onnx_path == folder / "model.onnx"
    assert bundle.program_path == folder / "model.pt2"
    assert bundle.classes[1] == DefectClass(3, "scratch", 0.5, 100, "minor")


def test_the_fingerprint_changes_with_the_manifest(folder: Path) -> None:
    before = load_bundle(folder).fingerprint
    write_manifest(folder, read_manifest(folder) | {"version": "2"})
    assert load_bundle(folder).fingerprint != before


def test_the_known_answer_is_read(folder: Path) -> None:
    strip, probability = read_known_answer(load_bundle(folder))
    assert strip.shape == (1, 1, 64, 128)
    assert probability.dtype == np.float32


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json.*must name a folder"):
        load_bundle(tmp_path)


def test_a_manifest_that_is_no_json_is_refused(folder: Path) -> None:
    (folder / "bundle.json").write_text("{")
    with pytest.raises(BundleError, match=r"bundle\.json"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "card.md", "known_answer.npz"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BundleError, match=f"{name}: missing.*copy the bundle again"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "card.md", "known_answer.npz"])
def test_an_altered_file_is_named(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b".")
    with pytest.raises(BundleError, match=f"{name}: SHA-256.*copy the bundle again"):
        load_bundle(folder)


def test_a_file_that_the_manifest_does_not_list_is_refused(folder: Path) -> None:
    (folder / "model.plan").write_text("an engine of another machine")
    with pytest.raises(BundleError, match=r"model\.plan: not listed.*remove it"):
        load_bundle(folder)


def test_a_link_out_of_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    (folder / "card.md").rename(tmp_path / "card.md")
    (folder / "card.md").symlink_to(tmp_path / "card.md")
    with pytest.raises(BundleError, match=r"card\.md: missing or no plain file"):
        load_bundle(folder)


@pytest.mark.parametrize("name", ["../card.md", "/etc/passwd", "a/b", "..", ".hidden", ""])
def test_a_name_that_leads_out_of_the_folder_is_refused(folder: Path, name: str) -> None:
    manifest = read_manifest(folder)
    manifest["files"][name] = "0" * 64
    write_manifest(folder, manifest)
    with pytest.raises(BundleError, match="files"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update(schema=2), "schema"),
        (lambda m: m.update(colour="grey"), "colour"),
        (lambda m: m.pop("name"), "name"),
        (lambda m: m["classes"][0].update(threshold=1.5), "threshold"),
        (lambda m: m["classes"][0].update(severity="fatal"), "severity"),
        (lambda m: m["classes"][0].update(id=3), "same id"),
        (lambda m: m["classes"].pop(), "2 planes for 1 classes"),
        (lambda m: m["input"].update(dtype="float32"), "dtype"),
        (lambda m: m["output"].update(stride=8), "stride 8"),
        (lambda m: m["output"].update(kind="logit"), "kind"),
        (lambda m: m["files"].pop("model.pt2"), "files lacks model.pt2"),
        (lambda m: m["known_answer"].update(file="other.npz"), "files lacks other.npz"),
        (lambda m: m["known_answer"].update(file="../known_answer.npz"), "known_answer.file"),
        (lambda m: m["files"].update({"card.md": "abc"}), "files.card.md"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_with_the_key(
    folder: Path, change: Change, reason: str
) -> None:
    manifest = read_manifest(folder)
    change(manifest)
    write_manifest(folder, manifest)
    with pytest.raises(BundleError, match=reason):
        load_bundle(folder)


def replace_known_answer(folder: Path, **arrays: object) -> None:
    path = folder / "known_answer.npz"
    np.savez(path, **arrays)  # type: ignore[arg-type]  # objects are what one test is about
    manifest = read_manifest(folder)
    manifest["files"]["known_answer.npz"] = sha256(path)
    write_manifest(folder, manifest)


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"strip": np.zeros((1, 1, 64, 128), np.uint8)}, "probability"),
        (
            {
                "strip": np.zeros((1, 1, 64, 64), np.uint8),
                "probability": np.zeros((1, 2, 16, 32), np.float32),
            },
            "strip is uint8",
        ),
        (
            {
                "strip": np.zeros((1, 1, 64, 128), np.uint8),
                "probability": np.zeros((1, 2, 16, 32), np.float64),
            },
            "probability is float64",
        ),
        ({"strip": np.array([object()]), "probability": np.zeros(1)}, "allow_pickle"),
    ],
)
def test_a_known_answer_of_another_kind_is_refused(
    folder: Path, arrays: dict[str, object], reason: str
) -> None:
    replace_known_answer(folder, **arrays)
    with pytest.raises(BundleError, match=reason):
        read_known_answer(load_bundle(folder))


def test_a_known_answer_that_is_no_archive_is_refused(folder: Path) -> None:
    path = folder / "known_answer.npz"
    path.write_bytes(b"PK\x03\x04 cut short")
    manifest = read_manifest(folder)
    manifest["files"]["known_answer.npz"] = sha256(path)
    write_manifest(folder, manifest)
    with pytest.raises(BundleError, match=r"known_answer\.npz"):
        read_known_answer(load_bundle(folder))
