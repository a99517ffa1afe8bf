"""A training run, in reading order: draw, set rates, forward, backward, clip, step, average, log.

Starting a run again goes on from its checkpoint exactly as if it had never stopped. The one thing
that may be changed on the way is the number of steps, while the rate is still flat.
"""

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import Tensor

from edge_daemon.errors import EdgeDaemonError
from models.architecture import SteelNet, build_network
from models.weights import load_imagenet
from train.averaging import WeightAverage
from train.checkpoint import load_checkpoint, save_checkpoint
from train.config import OptimConfig, RunConfig
from train.losses import area_targets, segmentation_loss
from train.runlog import Progress, RunLog
from train.runs import RunFolder, provisional_classes
from train.sampling import Draw, Pool, Sampler, simulate_strips
from train.scoring import Score
from train.split import make_split
from train.strips import StripSet, load_strips
from train.validation import predict, score_strips

TARGET_STRIDE = 2
"""The loss works at half resolution: the labels aren't exact to a pixel."""
MAX_BAD_STEPS = 20
"""Steps in a row without a finite gradient after which a run gives up."""


class TrainingError(EdgeDaemonError):
    """A run can't go on; the last checkpoint is still good."""


def rate_at(step: int, optim: OptimConfig) -> float:
    """Part of the full learning rate at a step: linear warm-up, flat, cosine to zero."""
    flat_until = optim.flat_share * optim.steps
    warm = min(1.0, (step + 1) / optim.warmup_steps)
    if step < flat_until:
        return warm
    done = (step - flat_until) / max(1.0, optim.steps - flat_until)
    return warm * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


@dataclass(slots=True)
class Trainer:
    """Network, its average and the optimiser: all that changes from step to step."""

    network: SteelNet
    average: WeightAverage
    optimizer: torch.optim.Optimizer
    config: RunConfig
    step: int = 0
    bad_steps: int = 0

    @classmethod
    def new(cls, config: RunConfig) -> "Trainer":
        """A run before its first step."""
        torch.manual_seed(config.seed)
        network = build_network(config.network)
        if config.imagenet:
            load_imagenet(network)
        optim = config.optim
        decoder = [*network.decoder.parameters(), *network.head.parameters()]
        optimizer = torch.optim.AdamW(
            [
                {"params": list(network.encoder.parameters()), "rate": optim.encoder_rate},
                {"params": decoder, "rate": optim.decoder_rate},
            ],
            weight_decay=optim.weight_decay,
        )
        return cls(network, WeightAverage(network, optim.ema_decay), optimizer, config)

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        state = load_checkpoint(path)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(
            state["average"]["network"], updates=state["average"]["updates"]
        )
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["torch_rng"])
        self.step = state["step"]
        self.bad_steps = state["bad_steps"]

    def save(self, path: Path) -> None:
        """Write all that `restore` needs. Batches need no state: they follow from the step."""
        save_checkpoint(
            path,
            {
                "network_config": self.config.network.model_dump(mode="json"),
                "network": self.network.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "torch_rng": torch.get_rng_state(),
                "step": self.step,
                "bad_steps": self.bad_steps,
            },
        )

    def train_step(self, strips: Tensor, classes: Tensor) -> float:
        """One optimiser step on (N, 1, H, W) strips and (N, H, W) classes; gives the loss.

        Raises:
            TrainingError: too many steps in a row gave no finite gradient.
        """
        optim = self.config.optim
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * rate_at(self.step, optim)
        self.network.train()
        targets = area_targets(classes, count=self.config.network.classes, stride=TARGET_STRIDE)
        with torch.autocast("cpu", torch.bfloat16, enabled=optim.precision == "bf16"):
            logits = self.network.logits(strips)
        loss = segmentation_loss(
            logits,
            targets,
            positive_weights=optim.positive_weights,
            dice_weight=optim.dice_weight,
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), optim.clip_norm)
        self._apply(is_finite=bool(torch.isfinite(norm)))
        self.step += 1
        return float(loss.detach())

    def _apply(self, *, is_finite: bool) -> None:
        if is_finite:
            self.optimizer.step()
            self.average.update(self.network)
            self.bad_steps = 0
            return
        self.bad_steps += 1
        if self.bad_steps >= MAX_BAD_STEPS:
            raise TrainingError(
                f"{self.bad_steps} steps in a row without a finite gradient (step {self.step}); "
                "lower optim.decoder_rate and optim.encoder_rate, or use optim.precision=fp32"
            )


def fit(
    config: RunConfig,
    folder: RunFolder,
    *,
    draw: Draw,
    report: Callable[[Progress], None],
) -> Trainer:
    """Run, or go on with the run, in a folder until its last step or until SIGTERM or SIGINT.

    Raises:
        DataError: the strips can't be used.
        CheckpointError: the folder's checkpoint can't be read.
        TrainingError: the run diverged.
    """
    torch.set_num_threads(config.threads)
    strips = load_strips(config.data.root)
    split = make_split(strips, share=config.data.validation_share, seed=config.seed)
    folder.begin(config, split)
    sampler = make_sampler(config, strips.named(split.training), draw=draw)
    validation = strips.named(split.validation)
    trainer = Trainer.new(config)
    if folder.checkpoint.is_file():
        trainer.restore(folder.checkpoint)
    with RunLog(folder.path) as log, _stop_requests() as stop:
        _loop(trainer, sampler, validation, folder=folder, log=log, report=report, stop=stop)
    return trainer


def make_sampler(config: RunConfig, training: StripSet, *, draw: Draw) -> Sampler:
    """The source of batches: real strips and simulated ones, which are drawn here once."""
    data = config.data
    simulated = simulate_strips(
        draw, count=data.simulated_strips, clean_share=data.simulated_clean_share, seed=config.seed
    )
    return Sampler(Pool.of(training), Pool.of(simulated), data, config.optim, config.seed)


def _loop(
    trainer: Trainer,
    sampler: Sampler,
    validation: StripSet,
    *,
    folder: RunFolder,
    log: RunLog,
    report: Callable[[Progress], None],
    stop: threading.Event,
) -> None:
    config = trainer.config
    steps = config.optim.steps
    while trainer.step < steps and not stop.is_set():
        began = time.perf_counter()
        batch = sampler.batch(trainer.step)
        loss = trainer.train_step(torch.from_numpy(batch.strips), torch.from_numpy(batch.classes))
        seconds = time.perf_counter() - began
        is_last = trainer.step == steps
        score = None
        if is_last or trainer.step % config.evaluate_every == 0:
            score = evaluate(trainer.average.network, validation, precision=config.optim.precision)
        if is_last or trainer.step % config.checkpoint_every == 0:
            trainer.save(folder.checkpoint)
        progress = Progress(trainer.step, steps, loss, score)
        log.write(progress, rate=rate_at(trainer.step - 1, config.optim), seconds=seconds)
        report(progress)
    trainer.save(folder.checkpoint)


def evaluate(network: SteelNet, validation: StripSet, *, precision: str) -> Score:
    """Score a network with plain thresholds: for watching a run, not for judging it."""
    classes = provisional_classes(network.config.classes)
    probabilities = predict(network, validation.images, precision=precision)
    return score_strips(probabilities, validation.classes, classes)


@contextmanager
def _stop_requests() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set; the handlers before are put back."""
    stop = threading.Event()

    def request(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, request) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
