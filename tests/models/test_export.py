"""A bundle that was written is whole, holds the network, and doesn't say where it was made."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter

from edge_daemon.core.defects import DefectClass
from edge_daemon.errors import BundleError
from edge_daemon.inference.bundle import MANIFEST, Bundle, load_bundle, read_known_answer
from edge_daemon.inference.manifest import INT8, Calibration, Int8, Provenance
from models.catalogue import catalogue
from models.config import NetworkConfig, UnetConfig
from models.export import Label, add_int8, export_bundle
from models.network import SteelNet, build_network
from models.onnx_file import open_onnx
from models.parity import ExportError, parity_strips, run_onnx, run_torch
from models.program_file import read_in_single_precision
from tests.models.conftest import MakeNetwork

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


def architecture(bundle: Bundle) -> NetworkConfig:
    adapter: TypeAdapter[NetworkConfig] = TypeAdapter(NetworkConfig)
    return adapter.validate_json(json.dumps(bundle.manifest.provenance.architecture))


@pytest.fixture(scope="module")
def network(make_network: MakeNetwork) -> SteelNet:
    return make_network(UnetConfig(width=4, depth=2, input_downsample=4, image_head=True))


@pytest.fixture(scope="module")
def bundle(network: SteelNet, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("zoo") / "tiny"
    return export_bundle(network, folder, label=make_label(network.config))


def test_both_files_give_what_the_network_gives(bundle: Bundle, network: SteelNet) -> None:
    strips = parity_strips(2)
    expected = run_torch(network, strips)
    assert np.abs(run_onnx(bundle.onnx_path, strips) - expected).max() < 0.01
    program = read_in_single_precision(bundle.program_path)
    assert np.abs(run_torch(program, strips) - expected).max() < 0.01


def test_the_onnx_file_takes_any_number_of_strips(bundle: Bundle) -> None:
    session = open_onnx(bundle.onnx_path, threads=1)
    for count in (1, 3):
        strips = np.zeros((count, 1, 256, 1600), np.uint8)
        assert session.run(None, {"strip": strips})[0].shape == (count, 4, 64, 400)


def test_fine_tuning_can_start_from_a_bundle(bundle: Bundle, network: SteelNet) -> None:
    again = build_network(architecture(bundle)).eval()
    again.load_state_dict(torch.export.load(bundle.program_path).state_dict)
    strips = parity_strips(1)
    assert np.abs(run_torch(again, strips) - run_torch(network, strips)).max() < 0.01


def test_the_known_answer_holds(bundle: Bundle) -> None:
    strip, probability = read_known_answer(bundle)
    found = run_onnx(bundle.onnx_path, strip)
    assert np.abs(found - probability).max() < bundle.manifest.known_answer.tolerance


def test_the_manifest_describes_the_network(bundle: Bundle, network: SteelNet) -> None:
    assert bundle.manifest.output.shape == ("N", 4, 64, 400)
    assert architecture(bundle) == network.config


def test_no_file_names_a_folder_of_this_machine(bundle: Bundle) -> None:
    here = str(Path(__file__).parents[2]).encode()
    for path in bundle.directory.iterdir():
        assert here not in path.read_bytes(), path.name


def test_an_export_takes_the_place_of_what_was_there(
    bundle: Bundle, network: SteelNet, tmp_path: Path
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(bundle.directory, folder)
    (folder / "left behind").write_text("by hand")
    label = replace(make_label(network.config), version="2")
    assert export_bundle(network, folder, label=label).manifest.version == "2"
    assert [path.name for path in tmp_path.iterdir()] == ["tiny"]
    assert load_bundle(folder).fingerprint != bundle.fingerprint


def test_an_export_that_fails_leaves_the_old_bundle(bundle: Bundle, network: SteelNet) -> None:
    label = replace(make_label(network.config), classes=CLASSES[:3])
    with pytest.raises(ExportError, match="3 classes for 4 outputs"):
        export_bundle(network, bundle.directory, label=label)
    assert load_bundle(bundle.directory).fingerprint == bundle.fingerprint


def test_an_exported_file_that_is_another_network_is_refused(
    make_network: MakeNetwork, tmp_path: Path
) -> None:
    wild = make_network(UnetConfig(width=4, depth=2, input_downsample=4))
    with torch.no_grad():
        # beyond what half precision holds: the exported weights are infinite
        wild.body.last_layer().weight.fill_(1e5)
    with pytest.raises(ExportError, match="isn't the network"):
        export_bundle(wild, tmp_path / "wild", label=make_label(wild.config))
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_does_not_take_the_daemons_strips_is_refused(tmp_path: Path) -> None:
    network = build_network(UnetConfig(width=1, depth=6, input_downsample=4))
    with pytest.raises(ExportError, match="no multiples of 256"):
        export_bundle(network, tmp_path / "odd", label=make_label(network.config))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["steel-nano", "steel-small"])
def test_a_compact_networks_bundle_is_below_twelve_megabytes(name: str, tmp_path: Path) -> None:
    network = build_network(catalogue()[name])
    bundle = export_bundle(network, tmp_path / name, label=make_label(network.config))
    assert sum(path.stat().st_size for path in bundle.directory.iterdir()) < 12_000_000


def test_the_shipped_bundle_is_whole_and_gives_its_known_answer() -> None:
    bundle = load_bundle(ZOO / "steel-nano")
    strip, probability = read_known_answer(bundle)
    found = run_onnx(bundle.onnx_path, strip)
    assert np.abs(found - probability).max() < bundle.manifest.known_answer.tolerance
    assert (probability.max(axis=(0, 2, 3)) > 0.5).sum() >= 2
    assert sum(path.stat().st_size for path in bundle.directory.iterdir()) < 12_000_000


def test_the_shipped_architecture_builds() -> None:
    shipped = load_bundle(ZOO / "steel-nano")
    network = build_network(architecture(shipped))
    assert network.config.output_stride == shipped.manifest.output.stride


@pytest.fixture
def offer() -> Int8:
    return Int8(
        file=INT8,
        limit=0.01,
        dice_drop={one.name: 0.002 for one in CLASSES},
        calibration=Calibration(strips=3, method="by hand"),
    )


def test_int8_is_put_into_a_finished_bundle_and_nothing_else_changes(
    bundle: Bundle, offer: Int8, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(bundle.directory, tmp_path / "tiny"))
    network = tmp_path / "tried.onnx"
    network.write_text("stands for a network")
    added = add_int8(folder, network, offer)
    assert added.int8_path is not None
    assert added.int8_path.read_text() == "stands for a network"
    assert added.manifest.int8 == offer
    assert added.fingerprint != bundle.fingerprint
    before, after = (json.loads((one / MANIFEST).read_text()) for one in (bundle.directory, folder))
    assert after.pop("int8")["limit"] == 0.01
    assert after["files"].pop(INT8)
    assert after == before
    network.write_text("stands for a better one")
    assert add_int8(folder, network, offer).fingerprint != added.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny", "tried.onnx"]


def test_an_offer_that_does_not_fit_leaves_the_bundle_as_it_was(
    bundle: Bundle, offer: Int8, tmp_path: Path
) -> None:
    network = tmp_path / "tried.onnx"
    network.write_text("stands for a network")
    with pytest.raises(BundleError, match="every class"):
        add_int8(bundle.directory, network, offer.model_copy(update={"dice_drop": {"rust": 0.0}}))
    assert load_bundle(bundle.directory).fingerprint == bundle.fingerprint
