"""What a training run is made of: one TOML file, checked, saved with the run."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from edge_daemon.errors import ConfigurationError
from models.config import EncoderUnetConfig, NetworkConfig

Share = Annotated[float, Field(ge=0, le=1)]
ProperShare = Annotated[float, Field(gt=0, lt=1)]
Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
SIMULATED_CLASSES = 4


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Section):
    """Where strips come from and how a batch is mixed.

    Attributes:
        root: folder of labelled strips; `train.data.reading` knows the layouts.
        class_names: of class 1, 2, ...; as many as the network has classes.
        severities: of the same classes, for the bundle.
        class_priors: share of strips with each class where the network will work.
        defective_prior: share of strips with any defect there. The defaults are those of
            Severstal's whole training set.
        validation_share: part of the real strips that is never trained on.
        fold: which part that is: runs with folds 0, 1, ... up to 1 / validation_share hold out
            every strip once.
        training_share: part of the others that is trained on; smaller parts lie within larger
            ones, so that a learning curve can be drawn.
        sampling: balanced picks each crop for a class, by the shares below; epoch goes over all
            training strips once, in a new order each time, before any comes again.
        simulated_strips: how many simulated strips are drawn once, before the first step.
        simulated_clean_share: part of those without any defect (but with its look-alikes).
        simulated_share: part of each batch that is simulated, on average.
        clean_share: part of each batch that is cut from places without defects, on average.
        clean_window_share: part of those that is put together from the defect-free stretches of
            defective strips instead of from defect-free strips.
        class_shares: what the remaining crops are picked for; empty: evenly.
        on_defect_share: part of those that is centred on a defect; the rest lies anywhere on the
            strip.
        augmentation: usual flips, re-exposes and blackens an end; strong also blurs, adds noise and
            paints defects out.
    """

    root: Path = Path("data/severstal")
    class_names: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "pitting",
        "inclusion",
        "scratch",
        "patch",
    )
    severities: tuple[Literal["minor", "major", "critical"], ...] = (
        "minor",
        "major",
        "major",
        "critical",
    )
    class_priors: tuple[ProperShare, ...] = (0.071, 0.020, 0.410, 0.064)
    defective_prior: ProperShare = 0.530
    validation_share: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    fold: Annotated[int, Field(ge=0)] = 0
    training_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    sampling: Literal["balanced", "epoch"] = "balanced"
    simulated_strips: Annotated[int, Field(ge=0)] = 400
    simulated_clean_share: Share = 0.35
    simulated_share: Share = 0.16
    clean_share: Share = 0.26
    clean_window_share: Share = 0.5
    class_shares: tuple[Weight, ...] = ()
    on_defect_share: Share = 0.65
    augmentation: Literal["usual", "strong"] = "usual"


class OptimConfig(_Section):
    """Steps, rates, and the arithmetic of a step.

    Attributes:
        steps: optimiser steps in all; a cosine reaches zero at the last.
        batch: crops that go through the network at once; 1 is single-sample descent.
        accumulate: batches whose gradients are summed before a step; "epoch" takes as many as hold
            every training strip once (full-batch descent; needs `data.sampling = "epoch"`).
        crop_width: strip pixels across a crop, at most the strip's own.
        crop_height: rows of a crop; absent: the strip's own.
        full_width_share: last part of the run on whole strips, as the daemon does it; so many fewer
            per batch that the pixels stay the same.
        optimiser: which rule makes steps of gradients.
        momentum: of "momentum" (SGD with momentum) and "rmsprop".
        encoder_rate: learning rate of pretrained layers.
        decoder_rate: learning rate of all others.
        weight_decay: decoupled for adamw and radam, L2 for the others.
        schedule: what the rate does after the warm-up: stays, falls along a cosine, or is cut
            by `plateau_factor` whenever `plateau_patience` validations brought nothing better.
        warmup_steps: linear rise from zero.
        flat_share: a cosine begins after this part of the run.
        clip_norm: gradients are scaled down to this norm; 0 leaves them as they are.
        ema_decay: of the averaged weights, which are the ones evaluated and exported.
        device: auto takes a GPU where there is one.
        precision: bf16 runs convolutions in bfloat16: twice as fast where the processor has AVX-512
            BF16 or AMX, several times slower where it has not. fp16 scales the loss; GPU only.
        channels_last: memory order; faster on a GPU, several times slower on a CPU.
        compile: trace the step with torch.compile; worth it on long runs.
    """

    steps: Count = 5000
    batch: Count = 8
    accumulate: Count | Literal["epoch"] = 1
    crop_width: Annotated[int, Field(ge=32, multiple_of=32)] = 800
    crop_height: Annotated[int, Field(ge=32, multiple_of=32)] | None = None
    full_width_share: Share = 0.25
    optimiser: Literal[
        "sgd", "momentum", "adagrad", "adadelta", "rmsprop", "adam", "adamw", "radam"
    ] = "adamw"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    encoder_rate: Rate = 4e-4
    decoder_rate: Rate = 1.5e-3
    weight_decay: Weight = 1e-3
    schedule: Literal["constant", "cosine", "plateau"] = "cosine"
    warmup_steps: Annotated[int, Field(ge=0)] = 150
    flat_share: Share = 0.4
    plateau_patience: Count = 3
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.3
    clip_norm: Weight = 5.0
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    channels_last: bool = False
    compile: bool = False


class LossConfig(_Section):
    """A weighted sum of losses; a weight of 0 leaves one out.

    Attributes:
        cross_entropy: binary for each class, or multi-class where the network's output is softmax.
        dice: over the whole batch (Milletari et al., V-Net, 2016).
        focal: cross-entropy that cares less about what is already right (Lin et al., 2017).
        lovasz: the Lovasz extension of the Jaccard loss (Berman et al., 2018).
        image: cross-entropy of the image-level head, where the network has one.
        distillation: distance to the answer of `teacher`.
        positive_weights: of a defect pixel against a background pixel, per class; empty: all 1.
        focal_gamma: how much less.
        lovasz_empty_weight: of (crop, class) pairs without a defect in the Lovasz loss.
        temperature: softens the teacher's answer.
    """

    cross_entropy: Weight = 1.0
    dice: Weight = 0.5
    focal: Weight = 0.0
    lovasz: Weight = 0.0
    image: Weight = 0.25
    distillation: Weight = 0.0
    positive_weights: tuple[Rate, ...] = ()
    focal_gamma: Weight = 2.0
    lovasz_empty_weight: Weight = 0.2
    temperature: Rate = 1.0

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if not self.cross_entropy + self.dice + self.focal + self.lovasz + self.distillation:
            raise ValueError("all weights of the pixel losses are 0: there is nothing to learn")
        return self


class RunConfig(_Section):
    """Everything about one run.

    Attributes:
        seed: decides the split, every crop and every initial weight.
        imagenet: start the encoder from ImageNet weights.
        start: a run's folder or a bundle whose weights are taken where they fit, instead.
        teacher: a run's folder or a bundle to learn from; see `loss.distillation`.
        threads: processor threads of torch.
        evaluate_every: steps between validations.
        checkpoint_every: steps between checkpoints; at most so many are lost in a crash.
        network: its shape.
        data: what it sees.
        optim: how it moves.
        loss: what it is told.
    """

    seed: Annotated[int, Field(ge=0)] = 1
    imagenet: bool = True
    start: Path | None = None
    teacher: Path | None = None
    threads: Count = 2
    evaluate_every: Count = 400
    checkpoint_every: Count = 100
    network: NetworkConfig = EncoderUnetConfig()
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()
    loss: LossConfig = LossConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        count = self.network.classes
        lengths = {
            "data.class_names": len(self.data.class_names),
            "data.severities": len(self.data.severities),
            "data.class_priors": len(self.data.class_priors),
            "data.class_shares": len(self.data.class_shares) or count,
            "loss.positive_weights": len(self.loss.positive_weights) or count,
        }
        for name, length in lengths.items():
            if length != count:
                raise ValueError(f"{name} has {length} entries for network.classes = {count}")
        if self.draws_simulated and count != SIMULATED_CLASSES:
            raise ValueError(
                f"simulated strips show {SIMULATED_CLASSES} classes, network.classes is {count}: "
                "set data.simulated_strips = 0"
            )
        if self.optim.accumulate == "epoch" and self.data.sampling != "epoch":
            raise ValueError('optim.accumulate = "epoch" needs data.sampling = "epoch"')
        if bool(self.loss.distillation) != (self.teacher is not None):
            raise ValueError("teacher and loss.distillation go together: set both, or none")
        if self.network.image_head and not self.loss.image:
            raise ValueError("network.image_head needs loss.image: untrained, it damps at random")
        return self

    @property
    def draws_simulated(self) -> bool:
        """Whether simulated strips are mixed in: an epoch consists of real strips alone."""
        data = self.data
        return data.sampling == "balanced" and data.simulated_strips * data.simulated_share > 0


def load_config(path: Path | None, overrides: list[str]) -> RunConfig:
    """Read a TOML file, a run's `config.json` or the defaults, and lay `section.key=value` over it.

    Values are TOML; what is no TOML is taken as text, so that paths need no quotes.

    Raises:
        ConfigurationError: the file can't be read or isn't TOML, an override has no `=`, or a key
            or value isn't allowed.
    """
    try:
        table = {} if path is None else _read_table(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{path}: {error}") from error
    for override in overrides:
        _lay_over(table, override)
    try:
        return RunConfig.model_validate(table)
    except ValidationError as error:
        faults = "; ".join(map(_fault, error.errors()))
        source = "training configuration" if path is None else str(path)
        given = f" with {' '.join(overrides)}" if overrides else ""
        raise ConfigurationError(f"{source}{given}: {faults}") from error


def _fault(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"]))
    return f"{place}: {error['msg']}" if place else error["msg"]


def _read_table(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    table: Any = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    if not isinstance(table, dict):
        raise ValueError("expected a table of sections and keys")  # noqa: TRY004 - told as bad content
    return table


def _lay_over(table: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise ConfigurationError(f"{override!r}: expected key=value, such as optim.steps=2000")
    *sections, key = name.strip().split(".")
    for section in sections:
        table = table.setdefault(section, {})
        if not isinstance(table, dict):
            raise ConfigurationError(f"{override!r}: {section} is a value, not a section")
    try:
        table[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[key] = text
