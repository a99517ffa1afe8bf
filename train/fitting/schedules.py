"""What the learning rate does in the course of a run."""

import math
from dataclasses import dataclass

from train.config import OptimConfig


def warmup_at(step: int, optim: OptimConfig) -> float:
    """Linear rise: 1 / warmup_steps at step 0, 1 from step warmup_steps - 1 on."""
    return min(1.0, (step + 1) / max(1, optim.warmup_steps))


def cosine_at(step: int, optim: OptimConfig) -> float:
    """1 for the flat part of the run, then half a cosine down to 0 at its last step."""
    flat = flat_until(optim)
    if step < flat:
        return 1.0
    done = (step - flat) / max(1.0, optim.steps - flat)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def flat_until(optim: OptimConfig) -> float:
    """Step at which the rate begins to depend on the number of steps."""
    return optim.flat_share * optim.steps if optim.schedule == "cosine" else math.inf


@dataclass(slots=True)
class Schedule:
    """The part of the full rate at each step; a plateau depends on what validations said.

    Attributes:
        optim: which schedule, and its numbers.
        cuts: how often a plateau has cut the rate.
        best: best figure so far; higher is better.
        waited: validations since then, or since the last cut.
    """

    optim: OptimConfig
    cuts: int = 0
    best: float = -math.inf
    waited: int = 0

    def rate_at(self, step: int) -> float:
        """Part of the full learning rate, 0..1."""
        warm = warmup_at(step, self.optim)
        match self.optim.schedule:
            case "constant":
                return warm
            case "cosine":
                return warm * cosine_at(step, self.optim)
            case "plateau":
                return float(warm * self.optim.plateau_factor**self.cuts)

    def validated(self, figure: float, *, step: int) -> None:
        """Take note of a validation after so many steps; during the warm-up none counts."""
        if step < self.optim.warmup_steps:
            return
        if figure > self.best:
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited >= self.optim.plateau_patience:
            self.cuts, self.waited = self.cuts + 1, 0

    def state_dict(self) -> dict[str, float]:
        """All that is needed to go on."""
        return {"cuts": self.cuts, "best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from a saved state."""
        self.cuts, self.waited = int(state["cuts"]), int(state["waited"])
        self.best = state["best"]
