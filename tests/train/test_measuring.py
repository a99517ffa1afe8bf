"""From a trained run to figures: tuned, judged, and refused where something is stale."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from edge_daemon.simulation.strips import draw_strip
from models.network import build_network
from train.checkpoint import save_checkpoint
from train.config import RunConfig
from train.data.split import Split
from train.measuring import judge_run, tune_runs
from train.runs import CLEAN_STRETCHES, HELD_OUT, SIMULATED, VALIDATION, RunError, RunFolder

NAMES = [f"{n:03d}.jpg" for n in range(12)]
MakeRun = Callable[..., RunFolder]


def quiet(_: str) -> None:
    """Tell nobody."""


def save_weights(run: RunFolder, seed: int) -> None:
    torch.manual_seed(seed)
    network = build_network(run.config().network)
    average = {"network": network.state_dict(), "updates": 1}
    shape = run.config().network.model_dump(mode="json")
    save_checkpoint(run.checkpoint, {"network_config": shape, "average": average, "step": 7})


@pytest.fixture
def make_run(tmp_path: Path, tiny_run: RunConfig) -> MakeRun:
    """Make a run with random weights that holds out some of the strips."""

    def make(name: str, held_out: slice, **data: object) -> RunFolder:
        torch.set_num_threads(1)
        run = RunFolder(tmp_path / name)
        config = tiny_run.model_copy(
            update={
                "network": tiny_run.network.model_copy(
                    update={"decoder_channels": (4, 4), "input_downsample": 2}
                ),
                "data": tiny_run.data.model_copy(update=data),
            }
        )
        validation = NAMES[held_out]
        run.begin(config, Split(tuple(n for n in NAMES if n not in validation), tuple(validation)))
        save_weights(run, seed=1)
        return run

    return make


def test_a_run_is_tuned_and_judged_on_every_set(make_run: MakeRun) -> None:
    run = make_run("one", slice(1, 8))
    tuning = tune_runs([run], objective="alarms", budget=0.1, tell=quiet)
    assert run.tuning() == tuning
    measured = judge_run(run, draw_strip, simulated=2, tell=quiet)
    assert run.measured() == measured
    assert set(measured.fitted) == {VALIDATION, CLEAN_STRETCHES, HELD_OUT, SIMULATED}
    assert set(measured.cross_fitted) == {VALIDATION, CLEAN_STRETCHES, HELD_OUT}
    real, together = measured.fitted[VALIDATION], measured.fitted[HELD_OUT]
    assert real.strips == 7
    assert together.clean == real.clean + measured.fitted[CLEAN_STRETCHES].strips
    assert tuning.fit.strips == together.strips
    assert measured.classes == tuning.fit.classes
    curves = run.curves()
    assert set(curves) == {VALIDATION, CLEAN_STRETCHES, SIMULATED}
    assert [one.name for one in curves[VALIDATION].strips] == NAMES[1:8]
    assert len(curves[VALIDATION].cross_fitted) == 7
    assert not curves[SIMULATED].cross_fitted


def test_folds_are_tuned_together_and_each_keeps_the_fit(make_run: MakeRun) -> None:
    first, second = make_run("a", slice(6)), make_run("b", slice(6, 12))
    tune_runs([first, second], objective="kaggle", budget=0.05, tell=quiet)
    one, other = first.tuning(), second.tuning()
    assert one.fit == other.fit
    assert one.runs == ("a", "b")
    assert set(NAMES[:6]) <= set(one.groups)
    assert not set(NAMES[6:]) & set(one.groups)
    assert one.fit.strips == len(one.groups) + len(other.groups)


def test_runs_that_hold_out_the_same_strip_are_refused(make_run: MakeRun) -> None:
    runs = [make_run("a", slice(6)), make_run("b", slice(5, 9))]
    with pytest.raises(RunError, match=r"data\.fold"):
        tune_runs(runs, objective="kaggle", budget=0.05, tell=quiet)


def test_runs_with_other_classes_are_refused(make_run: MakeRun) -> None:
    names = ("a", "b", "c", "d")
    runs = [make_run("a", slice(6)), make_run("b", slice(6, 9), class_names=names)]
    with pytest.raises(RunError, match="class_names"):
        tune_runs(runs, objective="kaggle", budget=0.05, tell=quiet)


def test_an_untuned_run_is_not_judged(make_run: MakeRun) -> None:
    with pytest.raises(RunError, match="train tune "):
        judge_run(make_run("one", slice(4)), draw_strip, simulated=1, tell=quiet)


def test_thresholds_of_other_weights_are_refused(make_run: MakeRun) -> None:
    run = make_run("one", slice(4))
    tune_runs([run], objective="kaggle", budget=0.05, tell=quiet)
    save_weights(run, seed=2)
    with pytest.raises(RunError, match=r"train tune .* again"):
        judge_run(run, draw_strip, simulated=1, tell=quiet)


def test_strips_that_were_not_tuned_on_are_refused(make_run: MakeRun) -> None:
    run = make_run("one", slice(4))
    tune_runs([run], objective="kaggle", budget=0.05, tell=quiet)
    run.begin(run.config(), Split(tuple(NAMES[:6]), tuple(NAMES[6:])))
    with pytest.raises(RunError, match=r"006\.jpg is new"):
        judge_run(run, draw_strip, simulated=1, tell=quiet)
