"""A run that was stopped goes on as if it had not been, and rates follow their schedule."""

import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from edge_daemon.simulation.strips import draw_strip
from train.config import OptimConfig, RunConfig
from train.fitting import MAX_BAD_STEPS, Trainer, TrainingError, fit, rate_at
from train.runlog import Progress
from train.runs import RunFolder

LEARNING = OptimConfig(
    steps=25, warmup_steps=1, flat_share=1.0, encoder_rate=2e-3, decoder_rate=1e-2
)


def run(config: RunConfig, folder: Path, report: Callable[[Progress], None]) -> Trainer:
    return fit(config, RunFolder(folder), draw=draw_strip, report=report)


def ignore(_progress: Progress) -> None:
    pass


def test_a_stopped_run_ends_where_an_unstopped_one_does(
    tiny_run: RunConfig, tmp_path: Path
) -> None:
    def stop_after_one(progress: Progress) -> None:
        if progress.step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    whole = run(tiny_run, tmp_path / "whole", ignore)
    stopped = run(tiny_run, tmp_path / "parts", stop_after_one)
    assert stopped.step == 1
    resumed = run(tiny_run, tmp_path / "parts", ignore)
    assert resumed.step == whole.step == 4
    first, second = (RunFolder(tmp_path / name).checkpoint for name in ("whole", "parts"))
    assert_same(torch.load(first, weights_only=True), torch.load(second, weights_only=True))


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


def test_the_handlers_of_signals_are_put_back(tiny_run: RunConfig, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)
    short = tiny_run.model_copy(update={"optim": tiny_run.optim.model_copy(update={"steps": 1})})
    run(short, tmp_path / "run", ignore)
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_finished_run_leaves_all_that_the_next_verbs_need(
    tiny_run: RunConfig, tmp_path: Path
) -> None:
    scores = []
    run(tiny_run, tmp_path / "run", lambda progress: scores.append(progress.score))
    folder = RunFolder(tmp_path / "run")
    assert folder.config() == tiny_run
    assert set(folder.split().training).isdisjoint(folder.split().validation)
    assert folder.average()[1] == 4
    assert [score is not None for score in scores] == [False, False, False, True]
    assert folder.log()[-1]["step"] == 4
    assert "class_2/recall" in folder.log()[-1]
    assert list((tmp_path / "run").glob("events.*"))


def test_rates_rise_stay_and_fall_to_zero() -> None:
    optim = OptimConfig(steps=100, warmup_steps=10, flat_share=0.5)
    rates = [rate_at(step, optim) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:50] == [1.0] * 41
    assert all(a >= b for a, b in pairwise(rates[49:]))
    assert rates[75] == pytest.approx(0.5)
    assert rates[100] == pytest.approx(0)


def test_a_step_without_a_finite_gradient_changes_no_weight(tiny_run: RunConfig) -> None:
    trainer = Trainer.new(tiny_run)
    with torch.no_grad():
        trainer.network.head.weight[0, 0, 0, 0] = torch.nan
    before = trainer.network.head.bias.clone()  # type: ignore[union-attr]  # it has one
    strips = torch.zeros((2, 1, 256, 128), dtype=torch.uint8)
    classes = torch.ones((2, 256, 128), dtype=torch.uint8)
    trainer.train_step(strips, classes)
    assert torch.equal(trainer.network.head.bias, before)  # type: ignore[arg-type]  # it has one
    assert trainer.average.updates == 0
    for _ in range(MAX_BAD_STEPS - 2):
        trainer.train_step(strips, classes)
    with pytest.raises(TrainingError, match="lower optim"):
        trainer.train_step(strips, classes)


def test_training_learns_a_strip_by_heart(tiny_run: RunConfig) -> None:
    trainer = Trainer.new(tiny_run.model_copy(update={"optim": LEARNING}))
    strips = torch.full((2, 1, 256, 128), 60, dtype=torch.uint8)
    strips[:, :, :, 64:] = 180
    classes = torch.zeros((2, 256, 128), dtype=torch.uint8)
    classes[:, :, 64:] = 3
    losses = [trainer.train_step(strips, classes) for _ in range(LEARNING.steps)]
    assert losses[-1] < losses[0] / 2
