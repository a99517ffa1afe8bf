"""From a folder to a network that has proved itself, or to a message that says what to do."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.engine import DEFAULT_BUNDLE, load_engine, shipped_bundle
from edge_daemon.errors import BundleError, ConfigurationError, EngineError


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Copy the shipped bundle to where it may be spoilt."""
    return Path(shutil.copytree(shipped_bundle(), tmp_path / "spoilt"))


def sign(bundle: Path, name: str) -> None:
    """Let the manifest say that a file is as it is now."""
    path = bundle / "bundle.json"
    manifest = json.loads(path.read_text())
    manifest["files"][name] = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))


def test_the_shipped_bundle_is_there_and_whole() -> None:
    assert shipped_bundle().name == DEFAULT_BUNDLE
    engine = load_engine(None, device="auto")
    assert engine.bundle.directory == shipped_bundle()
    manifest = engine.bundle.manifest
    assert engine.name == f"{manifest.name} {manifest.version}"


def test_its_classes_are_those_of_the_contract() -> None:
    classes = load_engine(None, device="cpu", threads=1).bundle.classes
    assert [(c.id, c.name) for c in classes] == [
        (1, "pitting"),
        (2, "inclusion"),
        (3, "scratch"),
        (4, "patch"),
    ]


def test_it_knows_its_known_answer_at_any_time() -> None:
    engine = load_engine(None, device="cpu")
    tolerance = engine.bundle.manifest.known_answer.tolerance
    assert engine.known_answer.run(engine.segmenter) <= tolerance


def test_another_folder_is_used_where_it_is_named(bundle: Path) -> None:
    assert load_engine(bundle, device="cpu").bundle.directory == bundle


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is an NVIDIA driver")
def test_a_gpu_that_is_not_there_is_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigurationError, match=r'device = "cuda": .* device = "cpu"'):
        load_engine(None, device="cuda")


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="there is an NVIDIA driver")
def test_without_a_gpu_the_processor_does_it_and_no_plan_is_missed() -> None:
    backend = load_engine(None, device="auto").backend
    assert (backend.runtime, backend.device, backend.missing_plan) == ("onnxruntime", "CPU", None)


def test_a_folder_that_is_no_bundle_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"\[bundle\] path must name a folder"):
        load_engine(tmp_path, device="cpu")


@pytest.mark.parametrize("name", ["model.onnx", "model.pt2", "card.md", "known_answer.npz"])
def test_a_file_that_was_altered_is_refused_and_named(bundle: Path, name: str) -> None:
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleError, match=f"{name}: SHA-256") as caught:
        load_engine(bundle, device="cpu")
    assert "copy the bundle again" in str(caught.value)


def test_a_network_that_gives_another_answer_is_an_engine_error(bundle: Path) -> None:
    path = bundle / "known_answer.npz"
    with np.load(path) as arrays:
        strip, probability = arrays["strip"], arrays["probability"]
    np.savez(path, strip=strip, probability=1 - probability)
    sign(bundle, path.name)
    with pytest.raises(EngineError, match="known answer: the engine is off by"):
        load_engine(bundle, device="cpu")


def test_an_answer_that_no_network_can_give_is_an_engine_error(bundle: Path) -> None:
    path = bundle / "known_answer.npz"
    with np.load(path) as arrays:
        strip, probability = arrays["strip"], arrays["probability"]
    np.savez(path, strip=strip, probability=np.full_like(probability, np.nan))
    sign(bundle, path.name)
    with pytest.raises(EngineError, match="known answer"):
        load_engine(bundle, device="cpu")


def test_a_file_that_is_no_network_is_refused_though_it_is_signed(bundle: Path) -> None:
    (bundle / "model.onnx").write_bytes(b"no network")
    sign(bundle, "model.onnx")
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime can't load it"):
        load_engine(bundle, device="cpu")
