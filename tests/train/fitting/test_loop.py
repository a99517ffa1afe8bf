"""A run that was stopped, however, goes on as if it had not been."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from edge_daemon.simulation.strips import draw_strip
from tests.train.fitting.conftest import quick_config
from tests.train.fitting.running import running, say, wait_for
from train.config import RunConfig
from train.data.augment import STRONG, USUAL
from train.data.reading import load_strips
from train.fitting.guards import BAD_BATCH, TrainingError
from train.fitting.loop import fit, make_sampler
from train.fitting.resuming import ChangedRunError
from train.fitting.runlog import LOG, Progress
from train.fitting.trainer import Trainer
from train.runs import RunFolder


def run(
    config: RunConfig, folder: Path, report: Callable[[Progress], None] = lambda _: None
) -> Trainer:
    return fit(config, RunFolder(folder), draw=draw_strip, report=report)


def stop_at(step: int) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.step == step:
            os.kill(os.getpid(), signal.SIGTERM)

    return report


def assert_same_checkpoints(first: Path, second: Path) -> None:
    states = [torch.load(RunFolder(one).checkpoint, weights_only=True) for one in (first, second)]
    assert_same(*states)


def assert_same(first: object, second: object) -> None:
    if isinstance(first, torch.Tensor):
        assert isinstance(second, torch.Tensor)
        assert torch.equal(first, second)
    elif isinstance(first, dict):
        assert isinstance(second, dict)
        assert list(first) == list(second)
        for key, value in first.items():
            assert_same(value, second[key])
    elif isinstance(first, list):
        assert isinstance(second, list)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert first == second


KINDS: dict[str, dict[str, Any]] = {
    "balanced, adamw, dropout": {
        "network": {"dropout": 0.5},
        "optim": {"full_width_share": 0.25, "crop_height": None},
    },
    "accumulated, momentum, plateau, softmax": {
        "evaluate_every": 1,
        "network": {"output": "softmax", "image_head": True},
        "optim": {
            "accumulate": 2,
            "optimiser": "momentum",
            "schedule": "plateau",
            "plateau_patience": 1,
            "warmup_steps": 0,
        },
        "loss": {"lovasz": 0.5, "focal": 1.0},
    },
    "epochs, accumulated, radam": {
        "data": {"sampling": "epoch"},
        "optim": {"accumulate": 2, "optimiser": "radam"},
    },
    "full batch, adagrad": {
        "data": {"sampling": "epoch"},
        "optim": {"accumulate": "epoch", "batch": 3, "optimiser": "adagrad"},
    },
    "single samples, sgd": {"optim": {"batch": 1, "optimiser": "sgd", "schedule": "constant"}},
    "pretrained encoder": {
        "network": {
            "architecture": "encoder_unet",
            "width": None,
            "depth": None,
            "decoder_channels": [8, 8],
        },
        "optim": {"steps": 2, "crop_height": 64},
    },
}


def config_of(kind: str, root: Path) -> RunConfig:
    changes = dict(KINDS[kind])
    config = quick_config(root).model_dump(mode="json")
    for section, values in changes.items():
        if section == "network" and "architecture" in values:
            config[section] = {key: value for key, value in values.items() if value is not None}
        elif isinstance(values, dict):
            config[section] |= values
        else:
            config[section] = values
    return RunConfig.model_validate(config)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_run_ends_where_an_unstopped_one_does(
    kind: str, root: Path, tmp_path: Path
) -> None:
    config = config_of(kind, root)
    whole = run(config, tmp_path / "whole")
    assert run(config, tmp_path / "parts", stop_at(1)).step == 1
    resumed = run(config, tmp_path / "parts")
    assert resumed.step == whole.step == config.optim.steps
    assert_same_checkpoints(tmp_path / "whole", tmp_path / "parts")
    assert logged_steps(tmp_path / "parts") == logged_steps(tmp_path / "whole")


def logged_steps(folder: Path) -> list[int]:
    lines = (folder / LOG).read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def test_a_full_batch_holds_every_training_strip_once(root: Path, tmp_path: Path) -> None:
    config = config_of("full batch, adagrad", root)
    seen: list[int] = []
    run(config, tmp_path / "run", lambda progress: seen.append(progress.crops))
    assert set(seen) == {len(RunFolder(tmp_path / "run").split().training)}


@pytest.mark.timeout(240)  # a process that imports torch, beside whatever else is running
def test_a_run_ended_by_sigterm_is_saved_and_goes_on(quick_run: RunConfig, tmp_path: Path) -> None:
    run(quick_run, tmp_path / "whole")
    with running(quick_run, tmp_path / "parts", pause_at=1) as process:
        wait_for(process, "step 1")
        process.send_signal(signal.SIGTERM)
        say(process)
        wait_for(process, "ended")
        assert process.wait() == 0
    state = torch.load(RunFolder(tmp_path / "parts").checkpoint, weights_only=True)
    assert state["step"] == 1
    run(quick_run, tmp_path / "parts")
    assert_same_checkpoints(tmp_path / "whole", tmp_path / "parts")


@pytest.mark.timeout(240)
def test_a_run_that_was_killed_goes_on_from_its_last_checkpoint(root: Path, tmp_path: Path) -> None:
    config = quick_config(root, evaluate_every=1)
    run(config, tmp_path / "whole")
    with running(config, tmp_path / "parts", pause_at=3) as process:
        wait_for(process, "step 3")
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert logged_steps(tmp_path / "parts") == [1, 2, 3]
    seen: list[int] = []
    run(config, tmp_path / "parts", lambda progress: seen.append(progress.step))
    assert seen == [3, 4]
    assert logged_steps(tmp_path / "parts") == [1, 2, 3, 4]
    assert_same_checkpoints(tmp_path / "whole", tmp_path / "parts")


def test_the_handlers_of_signals_are_put_back(quick_run: RunConfig, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    run(quick_run, tmp_path / "run")
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_finished_run_leaves_all_that_the_next_verbs_need(
    quick_run: RunConfig, tmp_path: Path
) -> None:
    scores = []
    run(quick_run, tmp_path / "run", lambda progress: scores.append(progress.score))
    folder = RunFolder(tmp_path / "run")
    assert folder.config() == quick_run
    assert set(folder.split().training).isdisjoint(folder.split().validation)
    assert folder.average()[1] == 4
    assert [score is not None for score in scores] == [False, False, False, True]
    assert folder.log()[-1]["step"] == 4
    assert {"class_2/recall", "loss/dice", "rate/decoder", "strips_per_s"} <= set(folder.log()[-1])
    assert list((tmp_path / "run").glob("events.*"))


def test_a_finished_run_started_again_says_so_and_changes_nothing(
    quick_run: RunConfig, tmp_path: Path
) -> None:
    run(quick_run, tmp_path / "run")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    told: list[Progress] = []
    again = run(quick_run, tmp_path / "run", told.append)
    assert again.step == 4
    assert [one.step for one in told] == [4]
    assert "finished" in told[0].warnings[0]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == before


def test_a_changed_run_is_refused_and_left_as_it_was(
    root: Path, quick_run: RunConfig, tmp_path: Path
) -> None:
    run(quick_run, tmp_path / "run", stop_at(1))
    with pytest.raises(ChangedRunError, match=r"optim\.batch was 2"):
        run(quick_config(root, optim={"batch": 3}), tmp_path / "run")
    assert RunFolder(tmp_path / "run").config() == quick_run


def test_what_may_change_may(root: Path, quick_run: RunConfig, tmp_path: Path) -> None:
    run(quick_run, tmp_path / "run", stop_at(1))
    changed = quick_config(root, evaluate_every=2, checkpoint_every=1, optim={"steps": 5})
    assert run(changed, tmp_path / "run").step == 5
    assert RunFolder(tmp_path / "run").config() == changed


def test_a_run_whose_strips_have_changed_is_refused(quick_run: RunConfig, tmp_path: Path) -> None:
    run(quick_run, tmp_path / "run", stop_at(1))
    split = tmp_path / "run" / "split.json"
    content = json.loads(split.read_text())
    content["training"].append(content["validation"].pop())
    split.write_text(json.dumps(content))
    with pytest.raises(ChangedRunError, match="the strips are not those"):
        run(quick_run, tmp_path / "run")


def test_a_run_that_diverges_keeps_the_batch_and_the_checkpoint_before(
    root: Path, tmp_path: Path
) -> None:
    wild = {
        "optimiser": "sgd",
        "decoder_rate": 1e30,
        "clip_norm": 0,
        "warmup_steps": 0,
        "schedule": "constant",
        "steps": 20,
    }
    config = quick_config(root, checkpoint_every=1, optim=wild)
    with pytest.raises(TrainingError, match=r"step \d+: the \w+ is not finite.*bad_batch.npz"):
        run(config, tmp_path / "run")
    state = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)
    with np.load(tmp_path / "run" / BAD_BATCH) as kept:
        assert kept["step"] == state["step"]
        assert kept["strips"].shape == (2, 1, 64, 64)
    assert all(
        bool(torch.isfinite(tensor).all())
        for tensor in state["network"].values()
        if tensor.is_floating_point()
    )


def test_a_class_that_stays_at_nothing_is_told_of_while_the_run_goes_on(
    root: Path, tmp_path: Path
) -> None:
    config = quick_config(
        root, evaluate_every=1, optim={"decoder_rate": 1e-9, "steps": 5, "warmup_steps": 1}
    )
    told: list[str] = []
    run(config, tmp_path / "run", lambda progress: told.extend(progress.warnings))
    collapsed = [one for one in told if "was found on none" in one]
    assert collapsed
    log = (tmp_path / "run" / LOG).read_text()
    assert all(json.dumps(one) in log for one in collapsed)


def test_a_plants_own_labels_train_as_they_are(mask_root: Path, tmp_path: Path) -> None:
    """Three classes, index masks, images of different sizes, and nothing simulated."""
    three: dict[str, Any] = {
        "root": mask_root,
        "class_names": ("dark", "bright", "striped"),
        "severities": ("minor", "minor", "major"),
        "class_priors": (0.2, 0.2, 0.2),
        "simulated_strips": 0,
    }
    config = quick_config(
        mask_root,
        network={"classes": 3, "depth": 4, "output": "softmax"},
        data=three,
        optim={"steps": 2, "crop_height": None},
    )
    told: list[Progress] = []
    assert run(config, tmp_path / "run", told.append).step == 2
    assert told[-1].score is not None
    assert len(told[-1].score.classes) == 3


def test_augmentation_is_as_strong_as_configured(root: Path) -> None:
    strips = load_strips(root, class_count=4)
    for name, strength in (("usual", USUAL), ("strong", STRONG)):
        config = quick_config(root, data={"augmentation": name})
        assert make_sampler(config, strips, draw=draw_strip).strength == strength
