"""What a training run is made of: one TOML file, checked, saved with the run."""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge_daemon.errors import ConfigurationError
from models.architecture import NetworkConfig

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DataConfig(_Section):
    """Where strips come from and how a batch is mixed.

    Attributes:
        root: folder with `images/`, `train.csv` and perhaps `suspect_clean.txt`.
        validation_share: part of the real strips that is never trained on.
        simulated_strips: how many simulated strips are drawn once, before the first step.
        simulated_clean_share: part of those without any defect (but with its look-alikes).
        simulated_share: part of each batch that is simulated, on average.
        clean_share: part of each batch that is cut from real defect-free strips, on average.
        class_shares: what the remaining crops are picked for: class 1, 2, 3, 4.
        on_defect_share: part of those that is centred on a defect; the rest lies anywhere on the
            strip.
    """

    root: Path = Path("data/severstal")
    validation_share: Share = 0.2
    simulated_strips: Annotated[int, Field(ge=0)] = 400
    simulated_clean_share: Share = 0.35
    simulated_share: Share = 0.22
    clean_share: Share = 0.12
    class_shares: tuple[float, float, float, float] = (0.27, 0.15, 0.36, 0.22)
    on_defect_share: Share = 0.65


class OptimConfig(_Section):
    """Steps, rates and loss.

    Attributes:
        steps: optimiser steps in all; the rate reaches zero at the last.
        batch: crops per step.
        crop_width: strip pixels across a crop; crops are as high as a strip.
        full_width_share: last part of the run on whole strips, as the daemon does it; so many fewer
            per batch that the pixels stay the same.
        warmup_steps: linear rise from zero.
        flat_share: the rate is constant until here, then follows a cosine to zero.
        positive_weights: weight of a defect pixel against a background pixel, per class.
        dice_weight: Dice loss per unit of cross-entropy.
        ema_decay: of the averaged weights, which are the ones evaluated and exported.
        precision: bf16 runs convolutions in bfloat16: twice as fast where the processor has AVX-512
            BF16 or AMX, several times slower where it has not.
    """

    steps: Count = 5000
    batch: Count = 8
    crop_width: Annotated[int, Field(ge=64, multiple_of=32)] = 800
    full_width_share: Share = 0.25
    encoder_rate: Annotated[float, Field(gt=0)] = 4e-4
    decoder_rate: Annotated[float, Field(gt=0)] = 1.5e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-3
    warmup_steps: Count = 150
    flat_share: Share = 0.4
    clip_norm: Annotated[float, Field(gt=0)] = 5.0
    positive_weights: tuple[float, float, float, float] = (2.0, 2.0, 1.0, 1.5)
    dice_weight: Annotated[float, Field(ge=0)] = 0.5
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.998
    precision: Literal["fp32", "bf16"] = "fp32"


class RunConfig(_Section):
    """Everything about one run.

    Attributes:
        seed: decides the split, every crop and every initial weight.
        imagenet: start the encoder from ImageNet weights.
        threads: processor threads of torch.
        evaluate_every: steps between validations.
        checkpoint_every: steps between checkpoints; at most so many are lost in a crash.
    """

    seed: Annotated[int, Field(ge=0)] = 1
    imagenet: bool = True
    threads: Count = 2
    evaluate_every: Count = 400
    checkpoint_every: Count = 100
    network: NetworkConfig = NetworkConfig()
    data: DataConfig = DataConfig()
    optim: OptimConfig = OptimConfig()


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
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"{path or 'training configuration'}: {faults}") from error


def _read_table(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    table: dict[str, Any] = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    return table


def _lay_over(table: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    if not equals:
        raise ConfigurationError(f"{override!r}: expected key=value, such as optim.steps=2000")
    *sections, key = name.strip().split(".")
    for section in sections:
        table = table.setdefault(section, {})
    try:
        table[key] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table[key] = text
