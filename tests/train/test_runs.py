"""A run's folder: what was kept is read back, and what lacks is asked for by its verb."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from models.config import EncoderUnetConfig, NetworkConfig, UnetConfig
from models.network import build_network
from train.checkpoint import save_checkpoint
from train.config import RunConfig
from train.data.split import Split
from train.judging.counting import PixelCounts
from train.judging.curves import Curves, image_curves, strip_figures
from train.judging.figures import Prior
from train.judging.scoring import score
from train.judging.tuning import Fit, OperatingPoint, Tuning
from train.runs import (
    Measured,
    RunError,
    RunFolder,
    find_runs,
    provisional_classes,
    weights_sha256,
)

SPLIT = Split(("a.jpg",), ("b.jpg", "c.jpg"))
CLASSES = provisional_classes(RunConfig().data)
PIXELS = np.array([[90, 10, 0, 0, 0], [100, 0, 0, 0, 0]])
COUNTS = PixelCounts(PIXELS, PIXELS, PIXELS)
SHA = "ab" * 32


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    run = RunFolder(tmp_path / "one")
    run.begin(RunConfig(seed=9), SPLIT)
    return run


def test_configuration_and_split_are_read_back(run: RunFolder) -> None:
    assert run.config() == RunConfig(seed=9)
    assert run.split() == SPLIT


def test_a_fit_is_read_back(run: RunFolder) -> None:
    point = OperatingPoint(0.5, 0.1, 0.9, 0.6, 0.93, ((0.5, 100),) * 4)
    fit = Fit("alarms", 0.05, True, 0.5, 9, 3, CLASSES, (CLASSES,) * 5, (point,))  # noqa: FBT003 - in order
    tuning = Tuning(SHA, 300, ("one",), {"b.jpg": 0, "c.jpg": 4}, fit)
    run.write_tuning(tuning)
    assert run.tuning() == tuning
    assert run.classes() == CLASSES


def test_figures_and_intervals_are_read_back(run: RunFolder) -> None:
    whole = score(COUNTS, prior=Prior(0.5, (0.1,) * 4), resamples=20)
    measured = Measured(SHA, 300, CLASSES, {"validation": whole}, {"validation": whole})
    run.write_measured(measured)
    assert run.measured() == measured
    assert run.scores()["validation"].intervals == whole.intervals


def test_curves_are_read_back(run: RunFolder) -> None:
    peaks = np.full((2, 4), 0.5)
    image = image_curves(peaks, COUNTS.has_class(), names=list("abcd"))
    curves = {"validation": Curves((), image, strip_figures(["b", "c"], COUNTS, peaks), ())}
    run.write_curves(curves)
    assert run.curves() == curves


@pytest.mark.parametrize(
    "shape", [EncoderUnetConfig(decoder_channels=(8, 8)), UnetConfig(depth=1, width=2)]
)
def test_the_average_of_any_architecture_is_read_back(run: RunFolder, shape: NetworkConfig) -> None:
    network = build_network(shape)
    average = {"network": network.state_dict(), "updates": 1}
    state = {"network_config": shape.model_dump(mode="json"), "average": average, "step": 12}
    save_checkpoint(run.checkpoint, state)
    again, step = run.average()
    assert step == 12
    assert again.config == shape
    assert weights_sha256(again) == weights_sha256(network)


def test_the_hash_of_weights_changes_with_one_of_them() -> None:
    network = build_network(UnetConfig(depth=1, width=2))
    before = weights_sha256(network)
    with torch.no_grad():
        next(network.parameters()).flatten()[0] += 1
    assert weights_sha256(network) != before


@pytest.mark.parametrize(
    ("read", "verb"),
    [
        (RunFolder.config, "fit"),
        (RunFolder.split, "fit"),
        (RunFolder.average, "fit"),
        (RunFolder.classes, "tune"),
        (RunFolder.tuning, "tune"),
        (RunFolder.scores, "eval"),
        (RunFolder.curves, "eval"),
    ],
)
def test_what_lacks_is_asked_for_by_its_verb(
    tmp_path: Path, read: Callable[[RunFolder], object], verb: str
) -> None:
    with pytest.raises(RunError, match=f"train {verb} "):
        read(RunFolder(tmp_path / "nothing"))


def test_a_damaged_file_is_named_with_the_verb_that_mends_it(run: RunFolder) -> None:
    (run.path / "tuning.json").write_text('[{"id": 1}]')
    with pytest.raises(RunError, match=r"(?s)tuning\.json.*train tune "):
        run.classes()


def test_writing_leaves_no_draft_behind(run: RunFolder) -> None:
    assert sorted(path.name for path in run.path.iterdir()) == ["config.json", "split.json"]


def test_a_log_line_cut_short_is_left_out(run: RunFolder) -> None:
    (run.path / "log.jsonl").write_text('{"step": 10, "loss": 0.5}\n{"step": 20, "lo')
    assert run.log() == [{"step": 10, "loss": 0.5}]


def test_runs_are_found_by_name(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "no run").mkdir()
    RunFolder(tmp_path / "another").begin(RunConfig(), SPLIT)
    assert [one.name for one in find_runs(tmp_path)] == ["another", run.name]


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    with run.at_work(), pytest.raises(RunError, match="another process"), run.at_work():
        pass
    with run.at_work():
        pass


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    run = RunFolder(tmp_path / "file" / "run")
    with pytest.raises(RunError, match=r"file/run: Not a directory; name a folder"), run.at_work():
        pass
