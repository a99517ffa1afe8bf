"""A training run, in reading order: draw, step, validate, log, checkpoint.

Starting a run again goes on from its checkpoint exactly as if it had never stopped; what may be
changed on the way is told in `train.fitting.resuming`.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from models.network import build_network
from train.checkpoint import load_checkpoint, save_checkpoint
from train.config import RunConfig
from train.data.augment import STRONG, USUAL
from train.data.reading import load_strips
from train.data.sampling import Batch, Sampler
from train.data.simulated import Draw, simulate_strips
from train.data.split import make_split, subset
from train.data.strips import StripSet
from train.devices import choose_device, prepare
from train.fitting.distributed import Ranks, joined
from train.fitting.guards import (
    NotFiniteError,
    TrainingError,
    keep_bad_batch,
    peaks_on_true_strips,
)
from train.fitting.resuming import check_count, check_split, check_unchanged
from train.fitting.runlog import Progress, RunLog
from train.fitting.start import network_from, starting_network
from train.fitting.stopping import stop_requests
from train.fitting.trainer import MicroBatch, StepResult, Trainer
from train.judging.figures import Prior
from train.judging.scoring import Score
from train.judging.validation import predict, score_strips
from train.runs import RunFolder, provisional_classes

Report = Callable[[Progress], None]


def fit(config: RunConfig, folder: RunFolder, *, draw: Draw, report: Report) -> Trainer:
    """Run, or go on with the run, in a folder until its last step or until SIGTERM or SIGINT.

    A run that has done all its steps is only reported, with a warning that says so. Started by
    torchrun, every process calls this; the first one alone writes and reports.

    Raises:
        ConfigurationError: the strips, the checkpoint, the start weights, the teacher or the
            device can't be used, or a run that has begun was changed.
        TrainingError: the run diverged.
    """
    with joined() as ranks, stop_requests() as stop:
        device = choose_device(config.optim, local_rank=ranks.local_rank)
        prepare(device, threads=config.threads)
        state = ranks.from_first(_saved_state(config, folder, ranks) if ranks.is_first else None)
        if state is not None and state["step"] >= config.optim.steps:
            return _finished(state, config, report=report if ranks.is_first else None)
        sampler, validation = _data(config, folder, draw=draw, ranks=ranks, is_new=state is None)
        trainer, notes = _trainer(config, state, sampler, device=device, ranks=ranks)
        with ExitStack() as opened:
            log = None
            if ranks.is_first:
                log = opened.enter_context(RunLog(folder.path, config, trainer.step))
                notes += log.warnings
            run = _Run(trainer, sampler, validation, folder, report, stop, log=log, notes=notes)
            run.go()
    return trainer


def _saved_state(config: RunConfig, folder: RunFolder, ranks: Ranks) -> dict[str, Any] | None:
    """The state to go on from, if there is one and it is this run's."""
    if not folder.checkpoint.is_file():
        return None
    state = load_checkpoint(folder.checkpoint)
    check_unchanged(state.get("config"), config, step=state["step"], path=folder.checkpoint)
    check_count(state["processes"], ranks.count)
    return state


def _finished(state: dict[str, Any], config: RunConfig, *, report: Report | None) -> Trainer:
    trainer = Trainer.of(build_network(config.network), config)
    trainer.load_state_dict(state)
    if report is not None:
        steps = config.optim.steps
        warning = f"this run is finished: it has done its {steps} steps, and nothing was changed"
        report(Progress(trainer.step, steps, trainer.loss, None, warnings=(warning,)))
    return trainer


def _data(
    config: RunConfig, folder: RunFolder, *, draw: Draw, ranks: Ranks, is_new: bool
) -> tuple[Sampler, StripSet]:
    """Batches and validation strips; the folder notes which are which."""
    data = config.data
    strips = load_strips(data.root, class_count=config.network.classes)
    split = make_split(strips, share=data.validation_share, seed=config.seed, fold=data.fold)
    used = subset(strips, split.training, share=data.training_share, seed=config.seed)
    split = replace(split, training=used)
    if ranks.is_first:
        if not is_new:
            check_split(folder.split(), split)
        folder.begin(config, split)
    sampler = make_sampler(config, strips.named(split.training), draw=draw, ranks=ranks)
    return sampler, strips.named(split.validation)


def make_sampler(
    config: RunConfig, training: StripSet, *, draw: Draw, ranks: Ranks | None = None
) -> Sampler:
    """The source of batches: real strips and simulated ones, which are drawn here once."""
    simulated = simulate_strips(
        draw,
        count=config.data.simulated_strips if config.draws_simulated else 0,
        clean_share=config.data.simulated_clean_share,
        seed=config.seed,
    )
    strength = STRONG if config.data.augmentation == "strong" else USUAL
    count = (ranks or Ranks()).count
    return Sampler.of(training, simulated, config, ranks=count, strength=strength)


def _trainer(
    config: RunConfig,
    state: dict[str, Any] | None,
    sampler: Sampler,
    *,
    device: torch.device,
    ranks: Ranks,
) -> tuple[Trainer, tuple[str, ...]]:
    """The trainer as it goes on, or as it begins; and what is to be said of that."""
    notes: tuple[str, ...] = ()
    if state is None:
        network, taken = starting_network(config)
        notes = sampler.notes() if taken is None else (*sampler.notes(), f"started from {taken}")
    else:
        network = build_network(config.network)
    teacher = None if config.teacher is None else network_from(config.teacher)
    trainer = Trainer.of(network, config, device=device, ranks=ranks, teacher=teacher)
    if state is not None:
        trainer.load_state_dict(state)
    return trainer, notes


@dataclass(slots=True)
class _Run:
    """A run under way, seen from one of its processes."""

    trainer: Trainer
    sampler: Sampler
    validation: StripSet
    folder: RunFolder
    report: Report
    stop: threading.Event
    log: RunLog | None
    notes: tuple[str, ...]
    saved_step: int = -1

    def go(self) -> None:
        """Until the last step, or until any process is asked to stop."""
        trainer, config = self.trainer, self.trainer.config
        while trainer.step < config.optim.steps:
            if trainer.ranks.any(is_so=self.stop.is_set()):
                break
            began_s = time.perf_counter()
            result = self._train_step()
            seconds = time.perf_counter() - began_s
            is_last = trainer.step == config.optim.steps
            score = None
            if is_last or trainer.step % config.evaluate_every == 0:
                score = self._validate()
            self._tell(result, score, seconds=seconds)
            if is_last or trainer.step % config.checkpoint_every == 0:
                self._save()
        self._save()

    def _train_step(self) -> StepResult:
        step = self.trainer.step
        try:
            return self.trainer.train_step(self._micro_batches(step))
        except NotFiniteError as error:
            raise self._bad_batch(error, step=step) from error

    def _micro_batches(self, step: int) -> Iterator[MicroBatch]:
        """This rank's parts of a step; where parts run out it keeps step with the others."""
        ranks, parts = self.trainer.ranks, self.sampler.parts(step)
        for first in range(0, parts, ranks.count):
            part = first + ranks.rank
            batch = self.sampler.batch(step, part % parts)
            strips, classes = torch.from_numpy(batch.strips), torch.from_numpy(batch.classes)
            yield MicroBatch(strips, classes, counts=part < parts)

    def _bad_batch(self, error: NotFiniteError, *, step: int) -> TrainingError:
        if error.micro_batch is None:
            error = self.trainer.find_bad_gradient(self._micro_batches(step))
        ranks = self.trainer.ranks
        if not ranks.is_first:
            return error
        first = (error.micro_batch or 0) * ranks.count
        parts = range(first, min(first + ranks.count, self.sampler.parts(step)))
        batches = [self.sampler.batch(step, part) for part in parts]
        whole = Batch(
            strips=np.concatenate([one.strips for one in batches]),
            classes=np.concatenate([one.classes for one in batches]),
        )
        return keep_bad_batch(self.folder.path, whole, error, step=step)

    def _validate(self) -> Score | None:
        """Score the average on the first rank; all ranks learn what the schedule wants to know."""
        trainer, score = self.trainer, None
        if trainer.ranks.is_first:
            score, peaks = evaluate(trainer, self.validation)
            self.notes += trainer.watch.validated(score, peaks, step=trainer.step)
        figure = trainer.ranks.from_first(None if score is None else score.dice_positive)
        trainer.schedule.validated(figure, step=trainer.step)
        return score

    def _tell(self, result: StepResult, score: Score | None, *, seconds: float) -> None:
        if self.log is None:
            return
        progress = Progress(
            self.trainer.step,
            self.trainer.config.optim.steps,
            result.loss,
            score,
            warnings=self.notes,
            parts=result.parts,
            rates=result.rates,
            seconds=seconds,
            crops=result.crops,
        )
        self.notes = ()
        self.log.write(progress)
        self.report(progress)

    def _save(self) -> None:
        if self.trainer.ranks.is_first and self.saved_step != self.trainer.step:
            save_checkpoint(self.folder.checkpoint, self.trainer.state_dict())
        self.saved_step = self.trainer.step


def evaluate(trainer: Trainer, validation: StripSet) -> tuple[Score, tuple[float, ...]]:
    """Score the averaged weights with plain thresholds: for watching a run, not for judging it.

    Also gives the highest probability of each class on the strips that have it.
    """
    config = trainer.config
    probabilities = predict(
        trainer.average.network,
        validation.images,
        precision=config.optim.precision,
        device=trainer.device,
    )
    score = score_strips(
        probabilities,
        validation.classes,
        provisional_classes(config.data),
        prior=Prior.of(config.data),
    )
    count = config.network.classes
    return score, peaks_on_true_strips(probabilities, validation.classes, class_count=count)
