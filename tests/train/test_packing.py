"""Provenance, and what may not be packed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_daemon.inference.bundle import load_bundle
from edge_daemon.simulation.strips import draw_strip
from models.network import build_network
from train.checkpoint import save_checkpoint
from train.config import RunConfig
from train.data.split import Split
from train.data.strips import StripSet
from train.measuring import judge_bundle, judge_run, tune_runs
from train.packing import config_sha256, data_name, fingerprint, has_severstal, pack
from train.runs import RunError, RunFolder


@pytest.fixture
def strips() -> StripSet:
    pixels = tuple(np.zeros((2, 8, 16), np.uint8))
    return StripSet(("a.jpg", "b.jpg"), pixels, pixels, class_count=4)


def test_one_pixel_one_label_or_one_name_changes_the_fingerprint(strips: StripSet) -> None:
    marked = np.zeros((8, 16), np.uint8)
    marked[5, 5] = 1
    changed = [
        replace(strips, images=(strips.images[0], marked)),
        replace(strips, classes=(marked, strips.classes[1])),
        replace(strips, names=("a.jpg", "c.jpg")),
        replace(strips, images=(strips.images[0].reshape(16, 8), strips.images[1])),
    ]
    assert len({fingerprint(one) for one in (strips, *changed)}) == 5


def test_the_place_of_data_and_weights_does_not_change_the_hash_of_a_configuration() -> None:
    def configured(place: str) -> RunConfig:
        data = {"root": Path(place) / "strips"}
        return RunConfig.model_validate({"data": data, "start": Path(place) / "steel-small"})

    assert config_sha256(configured("/here")) == config_sha256(configured("/there"))
    assert config_sha256(RunConfig(seed=2)) != config_sha256(RunConfig(seed=1))
    assert config_sha256(configured("/here")) != config_sha256(RunConfig())


def test_severstals_strips_are_known_by_their_names(strips: StripSet) -> None:
    assert not has_severstal(strips.names)
    theirs = replace(strips, names=("0002cc93b.jpg", "b.jpg"))
    assert has_severstal(theirs.names)
    assert data_name(Path("plant"), theirs).startswith("Severstal")
    assert data_name(Path("plant"), strips) == "plant, 2 strips"


def save_weights(run: RunFolder, seed: int) -> None:
    torch.manual_seed(seed)
    network = build_network(run.config().network)
    average = {"network": network.state_dict(), "updates": 1}
    shape = run.config().network.model_dump(mode="json")
    save_checkpoint(run.checkpoint, {"network_config": shape, "average": average, "step": 7})


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture
def ready(tmp_path: Path, tiny_run: RunConfig) -> RunFolder:
    """Tune and judge a run with random weights."""
    torch.set_num_threads(1)
    names = tuple(f"{n:03d}.jpg" for n in range(12))
    shape = {"decoder_channels": (4, 4), "input_downsample": 2}
    network = tiny_run.network.model_copy(update=shape)
    run = RunFolder(tmp_path / "run")
    run.begin(tiny_run.model_copy(update={"network": network}), Split(names[6:], names[2:6]))
    save_weights(run, seed=1)
    tune_runs([run], objective="kaggle", budget=0.05, tell=quiet)
    judge_run(run, draw_strip, simulated=1, tell=quiet)
    return run


@pytest.mark.timeout(240)  # an export proves itself on thirty full-size strips
def test_a_measured_run_becomes_a_bundle_that_says_where_it_comes_from(
    ready: RunFolder, tmp_path: Path
) -> None:
    folder = tmp_path / "steel-test"
    packed = pack(ready, folder, name="steel-test", version="1", commit="abc")
    assert load_bundle(folder).fingerprint == packed.fingerprint
    manifest = packed.manifest
    assert manifest.provenance.commit == "abc"
    assert manifest.provenance.architecture["decoder_channels"] == [4, 4]
    honest = ready.measured().cross_fitted["held_out"]
    assert manifest.scores["cross_fitted/held_out/dice"] == pytest.approx(honest.dice, abs=1e-4)
    assert "cross-fitted" in (folder / "card.md").read_text()
    scores = judge_bundle(folder, ready, draw_strip, simulated=1, tell=quiet)
    fitted = ready.scores()
    for name, one in scores.items():
        assert one.dice == pytest.approx(fitted[name].dice, abs=0.02)


def newer_weights(run: RunFolder) -> None:
    save_weights(run, seed=2)


def figures_of_other_weights(run: RunFolder) -> None:
    run.write_measured(replace(run.measured(), weights_sha256="0" * 64))


def thresholds_fitted_anew(run: RunFolder) -> None:
    classes = tuple(replace(one, min_area_px=77) for one in run.classes())
    tuning = run.tuning()
    run.write_tuning(replace(tuning, fit=replace(tuning.fit, classes=classes)))


@pytest.mark.parametrize(
    ("spoil", "verb"),
    [
        (newer_weights, "tune"),
        (figures_of_other_weights, "eval"),
        (thresholds_fitted_anew, "eval"),
    ],
)
def test_stale_figures_are_refused_with_the_verb_that_renews_them(
    ready: RunFolder, tmp_path: Path, spoil: Callable[[RunFolder], None], verb: str
) -> None:
    spoil(ready)
    with pytest.raises(RunError, match=f"train {verb} .* again"):
        pack(ready, tmp_path / "steel-test", name="steel-test", version="1", commit="abc")
    assert not (tmp_path / "steel-test").exists()
