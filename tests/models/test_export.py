"""A bundle that was written is whole, holds the network, and doesn't say where it was made."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from edge_daemon.core.defects import DefectClass
from edge_daemon.inference.bundle import Bundle, Provenance, load_bundle, read_known_answer
from models.architecture import NetworkConfig, SteelNet, build_network
from models.export import ExportError, Label, check_parity, export_bundle, parity_strips, run_onnx

ZOO = Path(__file__).parents[2] / "models" / "zoo"
CLASSES = tuple(DefectClass(k, f"class-{k}", 0.5, 10, "minor") for k in range(1, 5))


def make_label(config: NetworkConfig) -> Label:
    provenance = Provenance(
        data="none",
        data_fingerprint="0" * 64,
        commit="unknown",
        seed=1,
        config_sha256="0" * 64,
        steps=0,
        architecture=config.model_dump(mode="json"),
    )
    return Label("tiny", "1", CLASSES, provenance, {"figure": 0.5}, "# tiny\n")


@pytest.fixture(scope="module")
def bundle(tiny_network: SteelNet, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("zoo") / "tiny"
    return export_bundle(tiny_network, folder, label=make_label(tiny_network.config))


def test_the_onnx_file_gives_what_the_network_gives(bundle: Bundle, tiny_network: SteelNet) -> None:
    strips = parity_strips(2)
    with torch.inference_mode():
        expected = tiny_network(torch.from_numpy(strips)).numpy()
    assert np.abs(run_onnx(bundle.onnx_path, strips) - expected).max() < 0.01


def test_the_onnx_file_takes_any_number_of_strips(bundle: Bundle) -> None:
    session = onnxruntime.InferenceSession(
        str(bundle.onnx_path), providers=["CPUExecutionProvider"]
    )
    for count in (1, 3):
        strips = np.zeros((count, 1, 256, 1600), np.uint8)
        assert session.run(None, {"strip": strips})[0].shape == (count, 4, 64, 400)


def test_the_program_gives_what_the_network_gives(bundle: Bundle, tiny_network: SteelNet) -> None:
    program = torch.export.load(bundle.program_path)
    strips = torch.from_numpy(parity_strips(1))
    with torch.inference_mode():
        answer, expected = program.module()(strips), tiny_network(strips)
    assert answer.dtype == torch.float32
    assert float((answer - expected).abs().max()) < 0.05


def test_the_known_answer_holds(bundle: Bundle) -> None:
    strip, probability = read_known_answer(bundle)
    found = run_onnx(bundle.onnx_path, strip)
    assert np.abs(found - probability).max() < bundle.manifest.known_answer.tolerance


def test_the_manifest_describes_the_network(bundle: Bundle) -> None:
    assert bundle.manifest.output.shape == ("N", 4, 64, 400)
    architecture = NetworkConfig.model_validate_json(
        json.dumps(bundle.manifest.provenance.architecture)
    )
    assert architecture.decoder_channels == (8, 8, 8, 8)


def test_no_file_names_a_folder_of_this_machine(bundle: Bundle) -> None:
    here = str(Path(__file__).parents[2]).encode()
    for path in bundle.directory.iterdir():
        assert here not in path.read_bytes(), path.name


def test_an_export_takes_the_place_of_what_was_there(
    bundle: Bundle, tiny_network: SteelNet, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(bundle.directory, folder)
    (folder / "left behind").write_text("by hand")
    label = replace(make_label(tiny_network.config), version="2")
    assert export_bundle(tiny_network, folder, label=label).manifest.version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert load_bundle(folder).fingerprint != bundle.fingerprint


def test_an_export_that_fails_leaves_the_old_bundle(bundle: Bundle, tiny_network: SteelNet) -> None:
    label = replace(make_label(tiny_network.config), classes=CLASSES[:3])
    with pytest.raises(ExportError, match="3 classes for 4 outputs"):
        export_bundle(tiny_network, bundle.directory, label=label)
    assert load_bundle(bundle.directory).fingerprint == bundle.fingerprint


def test_masks_that_differ_are_no_parity() -> None:
    expected = np.full((1, 4, 64, 400), 0.49, np.float32)
    check_parity(expected, expected + 0.005, classes=CLASSES)
    with pytest.raises(ExportError, match="change sides"):
        check_parity(expected, expected + 0.02, classes=CLASSES)


def test_parity_strips_are_the_same_every_time() -> None:
    assert (
        hashlib.sha256(parity_strips(1).tobytes()).digest()
        == hashlib.sha256(parity_strips(1).tobytes()).digest()
    )


def test_the_shipped_bundle_is_whole_and_gives_its_known_answer() -> None:
    bundle = load_bundle(ZOO / "steel-nano")
    strip, probability = read_known_answer(bundle)
    found = run_onnx(bundle.onnx_path, strip)
    assert np.abs(found - probability).max() < bundle.manifest.known_answer.tolerance
    assert (probability.max(axis=(0, 2, 3)) > 0.5).sum() >= 2
    assert sum(path.stat().st_size for path in bundle.directory.iterdir()) < 12_000_000


def test_the_shipped_architecture_builds(bundle: Bundle) -> None:
    shipped = load_bundle(ZOO / "steel-nano").manifest.provenance.architecture
    network = build_network(NetworkConfig.model_validate_json(json.dumps(shipped)))
    assert network.config.output_stride == bundle.manifest.output.stride
