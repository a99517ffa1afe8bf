"""What may be changed of a run that has begun, and what would make it another run."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edge_daemon.errors import ConfigurationError
from train.config import OptimConfig, RunConfig
from train.data.split import Split
from train.fitting.schedules import flat_until

CHANGEABLE = frozenset({"evaluate_every", "checkpoint_every", "threads", "data.root"}) | {
    "optim.device"
}
"""Keys that decide neither what a step sees nor what it does."""
STEPS = "optim.steps"
VALIDATIONS = "evaluate_every"


class ChangedRunError(ConfigurationError):
    """A run can't go on with another configuration, other data or other processes."""


def check_unchanged(
    saved: Mapping[str, Any] | None, config: RunConfig, *, step: int, path: Path
) -> None:
    """Compare a configuration with the one that a checkpoint was made with.

    Args:
        saved: that one, as JSON has it; None in checkpoints of old.
        config: the one to go on with.
        step: of the checkpoint.
        path: of the checkpoint.

    Raises:
        ChangedRunError: a key has changed that may not.
    """
    if saved is None:
        raise ChangedRunError(
            f"{path}: written by an older version; begin a new run with start={path.parent}"
        )
    before = dict(_flat(saved))
    now = dict(_flat(config.model_dump(mode="json")))
    # what only one of two architectures has comes after the architecture
    for key in (*sorted(before.keys() & now.keys()), *sorted(before.keys() ^ now.keys())):
        if before.get(key) != now.get(key) and not _may_change(key, saved, config, step=step):
            raise ChangedRunError(
                f"{key} was {before.get(key)!r} when {path} was written and is {now.get(key)!r} "
                f"now (step {step}): set it back, or begin a new run, with start={path.parent} if "
                f"it is to know what this one knows.{_why(key)}"
            )


def check_split(before: Split, now: Split) -> None:
    """Compare the strips that a run has held out with those it would hold out now.

    Raises:
        ChangedRunError: strips came, went or changed sides.
    """
    changed = sorted(
        (set(before.training) ^ set(now.training)) | (set(before.validation) ^ set(now.validation))
    )
    if changed:
        raise ChangedRunError(
            f"the strips are not those that the run began with: {len(changed)} came, went or "
            f"changed sides, such as {changed[0]}; bring the data back, or begin a new run"
        )


def check_count(before: int, now: int) -> None:
    """Compare the numbers of processes.

    Raises:
        ChangedRunError: they differ; each takes its own part of a step.
    """
    if before != now:
        raise ChangedRunError(
            f"the run was begun by {before} processes and has {now} now: a step would be another; "
            f"use `torchrun --nproc-per-node` so that there are {before} in all"
        )


def _may_change(key: str, saved: Mapping[str, Any], config: RunConfig, *, step: int) -> bool:
    if key == VALIDATIONS:
        return config.optim.schedule != "plateau"
    if key == STEPS:
        before = OptimConfig.model_validate(saved["optim"])
        return all(step <= steps_matter_from(optim) for optim in (before, config.optim))
    return key in CHANGEABLE


def steps_matter_from(optim: OptimConfig) -> float:
    """Step from which rates or crops depend on the number of steps."""
    return min(flat_until(optim), optim.steps * (1 - optim.full_width_share))


def _why(key: str) -> str:
    if key == STEPS:
        return " It may change only before the rate falls and before whole strips begin"
    if key == VALIDATIONS:
        return " A plateau counts validations"
    return ""


def _flat(table: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
