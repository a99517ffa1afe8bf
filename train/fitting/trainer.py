"""One optimiser step: set rates, micro-steps, clip, step, average.

Batches and dropout follow from the seed and the step's number alone, so what has to be saved is
what is here.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from models.network import SteelNet
from train.config import RunConfig
from train.devices import autocast
from train.fitting.averaging import WeightAverage
from train.fitting.distillation import Teacher
from train.fitting.distributed import Ranks
from train.fitting.guards import CollapseWatch, NotFiniteError, TrainingError
from train.fitting.losses import Losses, Objective
from train.fitting.optimisers import build_optimiser, parameter_groups, set_rates
from train.fitting.schedules import Schedule
from train.fitting.start import has_encoder
from train.fitting.wrapping import holding_back, padded, wrap

T = TypeVar("T")

MAX_SKIPPED = 20
"""Steps in a row that fp16 may skip: by then its loss scale has fallen to a millionth."""
_DROPOUT_STREAM = 3


class MicroBatch(NamedTuple):
    """What goes through the network at once.

    Attributes:
        strips: (N, 1, H, W) uint8.
        classes: (N, H, W) uint8.
        counts: False where a rank has nothing left to add and only keeps step with the others.
    """

    strips: Tensor
    classes: Tensor
    counts: bool = True


@dataclass(slots=True)
class _Tally:
    """Losses of a step's micro-batches so far; kept on the device, so that nothing waits."""

    crops: list[int] = field(default_factory=list)
    losses: list[Losses] = field(default_factory=list)

    def mean(self, values: list[Tensor]) -> float:
        weights = values[0].new_tensor(self.crops)
        return float((torch.stack(values).detach() * weights).sum() / weights.sum())

    def parts(self) -> dict[str, float]:
        names = self.losses[0].parts
        return {name: self.mean([one.parts[name] for one in self.losses]) for name in names}

    def first_bad(self) -> int | None:
        totals = torch.stack([one.total.detach() for one in self.losses])
        bad = torch.nonzero(~torch.isfinite(totals))
        return int(bad[0, 0]) if len(bad) else None


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step.

    Attributes:
        loss: weighted sum, mean over all crops of the step.
        parts: name -> unweighted loss, likewise.
        rates: name -> learning rate of each group.
        crops: of all ranks.
    """

    loss: float
    parts: dict[str, float]
    rates: dict[str, float]
    crops: int


@dataclass(slots=True)
class Trainer:
    """Network, its average, the optimiser and whatever else has a state; made by `Trainer.of`."""

    config: RunConfig
    network: SteelNet
    scoring: nn.Module
    average: WeightAverage
    optimiser: torch.optim.Optimizer
    objective: Objective
    scaler: torch.amp.GradScaler
    schedule: Schedule
    watch: CollapseWatch
    device: torch.device
    ranks: Ranks
    teacher: Teacher | None = None
    step: int = 0
    loss: float = math.nan
    skipped: int = 0
    skipped_in_a_row: int = 0

    @classmethod
    def of(
        cls,
        network: SteelNet,
        config: RunConfig,
        *,
        device: torch.device | None = None,
        ranks: Ranks | None = None,
        teacher: SteelNet | None = None,
    ) -> "Trainer":
        """A run before its first step.

        Args:
            network: to be trained; with the weights that it starts from.
            config: of the run.
            device: where to compute; the processor if not given.
            ranks: the processes that take part; this one alone if not given.
            teacher: what `loss.distillation` learns from.
        """
        device, ranks = device or torch.device("cpu"), ranks or Ranks()
        optim, shape = config.optim, config.network
        layout = torch.channels_last if optim.channels_last else torch.contiguous_format
        network = network.to(device).to(memory_format=layout)
        is_pretrained = has_encoder(network) and (config.imagenet or config.start is not None)
        groups = parameter_groups(network, optim, has_pretrained_encoder=is_pretrained)
        asked = None
        if teacher is not None:
            asked = Teacher(teacher.to(device), shape.output, classes=shape.classes)
        return cls(
            config=config,
            network=network,
            average=WeightAverage(network, optim.ema_decay),  # before `wrap` puts hooks on it
            scoring=wrap(network, optim, device=device, ranks=ranks),
            optimiser=build_optimiser(groups, optim),
            objective=Objective(config.loss, shape.output, shape.classes, shape.output_stride),
            scaler=torch.amp.GradScaler(device.type, enabled=optim.precision == "fp16"),
            schedule=Schedule(optim),
            watch=CollapseWatch(config.data.class_names, optim.warmup_steps),
            device=device,
            ranks=ranks,
            teacher=asked,
        )

    def state_dict(self) -> dict[str, Any]:
        """All that `load_state_dict` needs."""
        return {
            "config": self.config.model_dump(mode="json"),
            "network_config": self.config.network.model_dump(mode="json"),
            "processes": self.ranks.count,
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "schedule": self.schedule.state_dict(),
            "watch": self.watch.state_dict(),
            "step": self.step,
            "loss": self.loss,
            "skipped": self.skipped,
            "skipped_in_a_row": self.skipped_in_a_row,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.network.load_state_dict(state["network"])
        average = state["average"]
        self.average.load_state_dict(average["network"], updates=average["updates"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        self.schedule.load_state_dict(state["schedule"])
        self.watch.load_state_dict(state["watch"])
        self.step, self.loss = state["step"], state["loss"]
        self.skipped, self.skipped_in_a_row = state["skipped"], state["skipped_in_a_row"]

    def train_step(self, batches: Iterable[MicroBatch]) -> StepResult:
        """One optimiser step on the sum of the gradients of some batches, on this rank's parts.

        Raises:
            NotFiniteError: a loss or the gradient isn't finite; no weight was changed.
            TrainingError: fp16 overflowed too many times in a row.
        """
        rates = set_rates(self.optimiser, self.schedule.rate_at(self.step))
        self._begin()
        tally = _Tally()
        for batch, is_last in _marking_last(batches):
            losses, crops = self._micro_step(batch, is_last=is_last)
            tally.losses.append(losses)
            tally.crops.append(crops)
        if (bad := tally.first_bad()) is not None:
            raise NotFiniteError("loss", bad, parts=_values(tally.losses[bad]))
        self._apply(crops=sum(tally.crops))
        self.step += 1
        self.loss = tally.mean([one.total for one in tally.losses])
        return StepResult(self.loss, tally.parts(), rates, sum(tally.crops))

    def find_bad_gradient(self, batches: Iterable[MicroBatch]) -> NotFiniteError:
        """Go through a step again, batch by batch, for the first whose gradient isn't finite."""
        last = NotFiniteError("gradient", None, parts={})
        for number, batch in enumerate(batches):
            self._begin()
            losses, _ = self._micro_step(batch, is_last=True)
            last = NotFiniteError("gradient", number, parts=_values(losses))
            if not torch.isfinite(self._gradient_norm(math.inf)):
                break
        return last

    def _begin(self) -> None:
        words = np.random.SeedSequence(
            (self.config.seed, _DROPOUT_STREAM, self.step, self.ranks.rank)
        )
        torch.manual_seed(int(words.generate_state(1)[0]))
        self.network.train()
        self.optimiser.zero_grad(set_to_none=True)

    def _micro_step(self, batch: MicroBatch, *, is_last: bool) -> tuple[Losses, int]:
        """Forward and backward of one batch; its losses and crops are those of all ranks."""
        config = self.config
        crops = self._crops_of_all(batch)
        multiple_px = config.network.input_multiple_px
        if self.teacher is not None:
            multiple_px = math.lcm(multiple_px, self.teacher.input_multiple_px)
        strips = padded(batch.strips.to(self.device), multiple_px)
        with holding_back(self.scoring, is_last=is_last):
            with autocast(self.device, config.optim.precision):
                scores = self.scoring(strips)
                answer = None if self.teacher is None else self.teacher.scores(strips)
            losses = self.objective(
                scores,
                batch.classes.to(self.device),
                padded=(strips.shape[-2], strips.shape[-1]),
                teacher=answer,
                total=self.ranks.total if batch.counts else self.ranks.total_without_mine,
            )
            weighted = losses.total * (crops / self._usual_crops())
            self.scaler.scale(weighted).backward()  # type: ignore[no-untyped-call]
        return losses, crops

    def _crops_of_all(self, batch: MicroBatch) -> int:
        return int(self.ranks.total(torch.tensor(len(batch.strips) * batch.counts)))

    def _usual_crops(self) -> int:
        return self.config.optim.batch * self.ranks.count

    def _apply(self, *, crops: int) -> None:
        """Make the gradients a mean over the step's crops, clip them, and take the step."""
        optim = self.config.optim
        self.scaler.unscale_(self.optimiser)
        share = self._usual_crops() / crops
        if share != 1:
            for parameter in self.network.parameters():
                if parameter.grad is not None:
                    parameter.grad.mul_(share)
        is_finite = bool(torch.isfinite(self._gradient_norm(optim.clip_norm or math.inf)))
        if not is_finite and not self.scaler.is_enabled():
            raise NotFiniteError("gradient", None, parts={})
        self.scaler.step(self.optimiser)
        self.scaler.update()
        if is_finite:
            self.average.update(self.network)
            self.skipped_in_a_row = 0
            return
        self.skipped += 1
        self.skipped_in_a_row += 1
        if self.skipped_in_a_row >= MAX_SKIPPED:
            raise TrainingError(
                f"fp16 overflowed in {MAX_SKIPPED} steps in a row (step {self.step}); use "
                "optim.precision=bf16 or fp32, in a new run"
            )

    def _gradient_norm(self, limit: float) -> Tensor:
        norm: Tensor = nn.utils.clip_grad_norm_(self.network.parameters(), limit)
        return norm


def _values(losses: Losses) -> dict[str, float]:
    return {name: float(part.detach()) for name, part in losses.parts.items()}


def _marking_last(items: Iterable[T]) -> Iterator[tuple[T, bool]]:
    """Each item, and whether it is the last."""
    rest = iter(items)
    current = next(rest)
    for following in rest:
        yield current, False
        current = following
    yield current, True
