"""INT8 is offered where it costs little, and refused by how much it costs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from edge_daemon.core.defects import DefectClass
from edge_daemon.inference.bundle import load_bundle
from edge_daemon.inference.manifest import Calibration, Provenance
from models.config import UnetConfig
from models.export import Label, export_bundle
from models.network import build_network
from train.cli.app import app
from train.config import RunConfig
from train.data.reading import load_strips
from train.data.split import Split
from train.packing import fingerprint
from train.quantising import ClassCost, Int8RefusedError, Trial, offer_int8, try_int8
from train.runs import RunError, RunFolder

NAMES = [f"{n:03d}.jpg" for n in range(12)]
COST = ClassCost("pitting", strips=34, dice=0.46, dice_int8=0.455, wrongly=8, wrongly_int8=9)
SPLIT = Split(training=tuple(NAMES[:5]), validation=tuple(NAMES[5:]))


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def run(root: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """Begin a run that holds out strips of every class; its weights don't matter here."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "tiny")
    data = {"root": root, "simulated_strips": 0}
    run.begin(RunConfig.model_validate({"imagenet": False, "data": data}), SPLIT)
    return run


@pytest.fixture(scope="module")
def bundle(run: RunFolder, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Export a network with random weights as if that run had trained it."""
    torch.manual_seed(1)
    torch.set_num_threads(1)
    network = build_network(UnetConfig(width=4, depth=2, input_downsample=4))
    bias = network.body.last_layer().bias
    if bias is not None:
        torch.nn.init.zeros_(bias)  # at the usual 1 % it would report nothing at all
    training = load_strips(root, class_count=4).named(run.split().training)
    provenance = Provenance(
        data="drawn",
        data_fingerprint=fingerprint(training),
        commit="unknown",
        seed=1,
        config_sha256="0" * 64,
        steps=0,
        architecture=network.config.model_dump(mode="json"),
    )
    names = run.config().data.class_names
    classes = tuple(DefectClass(k, name, 0.5, 0, "minor") for k, name in enumerate(names, start=1))
    folder = tmp_path_factory.mktemp("bundles") / "tiny"
    export_bundle(network, folder, label=Label("tiny", "1", classes, provenance, {}, "# tiny\n"))
    return folder


@pytest.fixture(scope="module")
def trial(run: RunFolder, bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return try_int8(run, bundle, tmp_path_factory.mktemp("int8") / "tried.onnx", tell=quiet)


def with_first(trial: Trial, cost: ClassCost) -> Trial:
    return replace(trial, costs=(cost, *trial.costs[1:]))


def test_a_trial_measures_every_class_on_the_strips_that_were_held_out(
    trial: Trial, run: RunFolder, root: Path
) -> None:
    held_out = load_strips(root, class_count=4).named(run.split().validation)
    truth = [set(np.unique(one)) for one in held_out.classes]
    expected = [sum(k in one for one in truth) for k in range(1, 5)]
    assert [cost.strips for cost in trial.costs] == expected
    assert trial.calibration.strips == len(run.split().training)
    assert all(abs(cost.drop) < 0.05 for cost in trial.costs)


def test_what_costs_little_is_offered_with_its_price(
    trial: Trial, bundle: Path, tmp_path: Path
) -> None:
    affordable = replace(
        trial, costs=tuple(replace(one, strips=3, dice=0.5, dice_int8=0.495) for one in trial.costs)
    )
    folder = tmp_path / "tiny"
    folder.mkdir()
    for path in bundle.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    offered = offer_int8(folder, affordable, limit=0.01).manifest.int8
    assert offered is not None
    assert offered.limit == 0.01
    assert set(offered.dice_drop.values()) == {0.005}
    assert load_bundle(folder).int8_path == folder / "model.int8.onnx"


def test_what_costs_too_much_is_refused_by_how_much(trial: Trial, bundle: Path) -> None:
    before = load_bundle(bundle).fingerprint
    dear = with_first(trial, replace(COST, dice_int8=0.4395))
    with pytest.raises(
        Int8RefusedError, match=r"pitting falls by 0\.0205, from 0\.4600 to 0\.4395"
    ):
        offer_int8(bundle, dear, limit=0.01)
    assert load_bundle(bundle).fingerprint == before


def test_a_class_that_no_held_out_strip_shows_is_unknown_and_not_free(
    trial: Trial, bundle: Path
) -> None:
    with pytest.raises(Int8RefusedError, match="no held-out strip shows pitting"):
        offer_int8(bundle, with_first(trial, replace(COST, strips=0)), limit=0.5)


def test_a_rise_is_a_negative_drop() -> None:
    assert COST.drop == pytest.approx(0.005)
    assert replace(COST, dice_int8=0.5).drop == pytest.approx(-0.04)


def test_a_bundle_of_another_run_is_refused(
    run: RunFolder, bundle: Path, tmp_path: Path, trial: Trial
) -> None:
    other = RunFolder(tmp_path / "other")
    other.begin(run.config(), Split(tuple(NAMES[:4]), tuple(NAMES[4:])))
    with pytest.raises(RunError, match="trained on other strips"):
        try_int8(other, bundle, tmp_path / "tried.onnx", tell=quiet)
    assert not (tmp_path / "tried.onnx").exists()
    assert trial.calibration == Calibration(strips=5, method=trial.calibration.method)


def test_the_verb_shows_the_price_of_each_class_before_it_refuses(
    run: RunFolder, bundle: Path
) -> None:
    result = CliRunner().invoke(app, ["int8", str(run.path), str(bundle), "--limit", "0.5"])
    for name in run.config().data.class_names:
        assert name in result.stdout
    assert result.exit_code == 0, result.output
    assert load_bundle(bundle).int8_path is not None
