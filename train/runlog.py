"""The log of a run: a JSON object per line for people and scripts, and events for TensorBoard."""

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from torch.utils.tensorboard import SummaryWriter

from train.scoring import Score

EVERY_STEPS = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is: what a progress bar and a log want to know.

    Attributes:
        step: steps done.
        steps: steps in all.
        loss: of this step.
        score: on the validation strips, where this step had one.
    """

    step: int
    steps: int
    loss: float
    score: Score | None


@dataclass(slots=True)
class RunLog:
    """Appends to `log.jsonl` and to TensorBoard's event files in a run's folder."""

    folder: Path
    _lines: TextIO = field(init=False)
    _events: SummaryWriter = field(init=False)
    _open: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._lines = opened.enter_context(
                (self.folder / "log.jsonl").open("a", encoding="utf-8")
            )
            self._events = opened.enter_context(SummaryWriter(str(self.folder)))
            self._open = opened.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._open.close()

    def write(self, progress: Progress, *, rate: float, seconds: float) -> None:
        """Note every tenth step and every validation; the rest would only fill the disk."""
        if progress.step % EVERY_STEPS and progress.score is None:
            return
        entry = {"loss": progress.loss, "rate": rate, "seconds": seconds}
        if progress.score is not None:
            entry |= _figures(progress.score)
        self._lines.write(json.dumps({"step": progress.step, **entry}) + "\n")
        self._lines.flush()
        for name, value in entry.items():
            self._events.add_scalar(name, value, progress.step)


def _figures(score: Score) -> dict[str, float]:
    figures = {
        "validation/dice": score.dice,
        "validation/dice_positive": score.dice_positive,
        "validation/false_alarms": score.false_alarms,
        "validation/detected": score.detected,
    }
    for number, one in enumerate(score.classes, start=1):
        figures[f"class_{number}/dice_positive"] = one.dice_positive
        figures[f"class_{number}/recall"] = one.found / max(1, one.strips)
        figures[f"class_{number}/wrongly"] = one.wrongly
    return figures
