"""The log of a run: a JSON object per line for people and scripts, events for TensorBoard, MLflow.

`log.jsonl` has an object per tenth step and per validation:

step, loss                  steps done, weighted loss of the last of them
loss/NAME                   its parts, unweighted
rate/encoder, rate/decoder  learning rates
seconds, strips_per_s       of the step alone; crops of all processes per second
validation/*, class_K/*     where the step had a validation
warnings                    where there were any: a list of sentences
"""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self, TextIO

from torch.utils.tensorboard import SummaryWriter

from train.config import RunConfig
from train.fitting.mlflow_log import MlflowLog, open_mlflow
from train.judging.scoring import Score

LOG = "log.jsonl"
EVERY_STEPS = 10
_NOTHING: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: what a progress bar and a log want to know.

    Attributes:
        step: steps done.
        steps: steps in all.
        loss: of this step.
        score: on the validation strips, where this step had one.
        warnings: what a person should look at; empty as a rule.
        parts: name -> unweighted part of the loss.
        rates: name -> learning rate.
        seconds: that the step took.
        crops: that it saw, of all processes.
    """

    step: int
    steps: int
    loss: float
    score: Score | None
    warnings: tuple[str, ...] = ()
    parts: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    rates: Mapping[str, float] = field(default_factory=lambda: _NOTHING)
    seconds: float = 0.0
    crops: int = 0

    def figures(self) -> dict[str, float]:
        """Name -> number, as logs have them."""
        figures = {"loss": self.loss}
        figures |= {f"loss/{name}": part for name, part in self.parts.items()}
        figures |= {f"rate/{name}": rate for name, rate in self.rates.items()}
        if self.seconds:
            figures |= {"seconds": self.seconds, "strips_per_s": self.crops / self.seconds}
        if self.score is not None:
            figures |= score_figures(self.score)
        return figures


def score_figures(score: Score) -> dict[str, float]:
    """Name -> number, of a validation."""
    figures = {
        "validation/dice": score.dice,
        "validation/dice_empty": score.dice_empty,
        "validation/dice_original_mix": score.dice_original_mix,
        "validation/dice_positive": score.dice_positive,
        "validation/false_alarms": score.false_alarms,
        "validation/detected": score.detected,
    }
    for number, one in enumerate(score.classes, start=1):
        figures[f"class_{number}/dice_positive"] = one.dice_positive
        figures[f"class_{number}/recall"] = one.found / max(1, one.strips)
        figures[f"class_{number}/wrongly"] = one.wrongly
    return figures


@dataclass(slots=True)
class RunLog:
    """Appends to the logs in a run's folder, which are cut back first to where the run goes on.

    Attributes:
        folder: of the run.
        config: noted with MLflow.
        step: of the checkpoint that the run goes on from; what was logged later comes again.
        warnings: of opening the logs; for the first progress.
    """

    folder: Path
    config: RunConfig
    step: int = 0
    warnings: tuple[str, ...] = ()
    _lines: TextIO = field(init=False)
    _events: SummaryWriter = field(init=False)
    _mlflow: MlflowLog | None = field(init=False, default=None)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        path = self.folder / LOG
        cut_back(path, step=self.step)
        with ExitStack() as opened:
            self._lines = opened.enter_context(path.open("a", encoding="utf-8"))
            events = SummaryWriter(str(self.folder), purge_step=self.step + 1)
            self._events = opened.enter_context(events)
            self._mlflow, self.warnings = open_mlflow(self.folder, self.config)
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._mlflow is not None:
            self._mlflow.close(has_failed=exc is not None)
        self._open.close()

    def write(self, progress: Progress) -> None:
        """Note every tenth step, validation and warning; the rest would only fill the disk."""
        is_dull = progress.score is None and not progress.warnings
        if progress.step % EVERY_STEPS and is_dull:
            return
        figures = progress.figures()
        entry: dict[str, object] = {"step": progress.step, **figures}
        if progress.warnings:
            entry["warnings"] = list(progress.warnings)
            self._events.add_text("warnings", "\n\n".join(progress.warnings), progress.step)
        self._lines.write(json.dumps(entry) + "\n")
        self._lines.flush()
        for name, value in figures.items():
            self._events.add_scalar(name, value, progress.step)
        if self._mlflow is not None:
            self._mlflow.write(progress.step, figures)


def cut_back(path: Path, *, step: int) -> None:
    """Drop a log's lines beyond a step, and a line that a crash cut short."""
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if _step_of(line) <= step]
    if kept != lines:
        draft = path.with_suffix(".draft")
        draft.write_text("".join(kept), encoding="utf-8")
        draft.replace(path)


def _step_of(line: str) -> float:
    try:
        entry: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:
        return float("inf")
    return float(entry["step"])
