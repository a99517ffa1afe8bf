"""What watches over a run: numbers that aren't finite, and classes that a network gives up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from edge_daemon.core.tiling import Probabilities
from edge_daemon.errors import EdgeDaemonError
from train.data.sampling import Batch
from train.data.strips import ClassMap
from train.judging.scoring import Score

BAD_BATCH = "bad_batch.npz"
COLLAPSED_AFTER = 3
"""Validations in a row that find nothing of a class."""
HOPELESS_AFTER = 2
HOPELESS_PROBABILITY = 0.01
"""Where every network starts. A class that is never more likely, even where it is, fell asleep."""


class TrainingError(EdgeDaemonError):
    """A run can't go on; the last checkpoint is still good."""


class NotFiniteError(TrainingError):
    """A loss or a gradient isn't a number; no weight was changed by it.

    Attributes:
        what: which of the two.
        micro_batch: which of the step's batches made it; None where only their sum is known.
        parts: losses of that batch, by name.
    """

    def __init__(
        self,
        what: Literal["loss", "gradient"],
        micro_batch: int | None,
        *,
        parts: Mapping[str, float],
    ) -> None:
        super().__init__(f"the {what} of batch {micro_batch} isn't finite: {dict(parts)}")
        self.what = what
        self.micro_batch = micro_batch
        self.parts = parts


def keep_bad_batch(
    folder: Path, batch: Batch, error: NotFiniteError, *, step: int
) -> TrainingError:
    """Write the batch behind an error into a run's folder; gives the error that tells of it.

    `bad_batch.npz` holds step, micro_batch, strips (N, 1, H, W), classes (N, H, W), and loss/NAME
    for each part of the loss.
    """
    path = folder / BAD_BATCH
    losses = {f"loss/{name}": np.float64(value) for name, value in error.parts.items()}
    np.savez_compressed(
        path,
        step=np.int64(step),
        micro_batch=np.int64(error.micro_batch or 0),
        strips=batch.strips,
        classes=batch.classes,
        **losses,  # type: ignore[arg-type]  # the stubs take any keyword for `allow_pickle`
    )
    return TrainingError(
        f"step {step}: the {error.what} is not finite; the batch that made it is in {path}, and "
        "the last checkpoint is from before it. Look at the batch; if its labels are right, lower "
        "optim.encoder_rate and optim.decoder_rate, set optim.clip_norm, or use "
        "optim.precision=fp32 (in a new run)"
    )


def peaks_on_true_strips(
    probabilities: Sequence[Probabilities], truth: Sequence[ClassMap], *, class_count: int
) -> tuple[float, ...]:
    """Highest probability of each class on the strips that have it; 0 where none has."""
    peaks = [0.0] * class_count
    for answer, true_map in zip(probabilities, truth, strict=True):
        present = np.flatnonzero(np.bincount(true_map.ravel(), minlength=class_count + 1)[1:])
        for k in present.tolist():
            peaks[k] = max(peaks[k], float(answer[k].max()))
    return tuple(peaks)


@dataclass(slots=True)
class CollapseWatch:
    """Warns of classes that a network has given up.

    Rare classes go first: their probability sinks to almost nothing even where they are, and no
    threshold can bring them back.

    Attributes:
        class_names: of class 1, 2, ...
        after_step: validations up to here don't count: the rate is still rising.
        unseen: per class, validations in a row in which none of it was found.
        asleep: per class, validations in a row in which it was nowhere likely.
    """

    class_names: tuple[str, ...]
    after_step: int
    unseen: list[int] = field(init=False)
    asleep: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.unseen = [0] * len(self.class_names)
        self.asleep = [0] * len(self.class_names)

    def validated(self, score: Score, peaks: Sequence[float], *, step: int) -> tuple[str, ...]:
        """Take note of a validation; gives the warnings that are due.

        Args:
            score: of the validation strips, with plain thresholds.
            peaks: highest probability of each class on its true strips.
            step: steps done.
        """
        if step <= self.after_step:
            return ()
        warnings = []
        for k, (one, peak) in enumerate(zip(score.classes, peaks, strict=True)):
            if not one.strips:
                continue
            self.unseen[k] = 0 if one.found else self.unseen[k] + 1
            self.asleep[k] = 0 if peak >= HOPELESS_PROBABILITY else self.asleep[k] + 1
            if _is_due(self.asleep[k], HOPELESS_AFTER):
                warnings.append(self._warning(k, one.strips, count=self.asleep[k], peak=peak))
            elif _is_due(self.unseen[k], COLLAPSED_AFTER):
                warnings.append(self._warning(k, one.strips, count=self.unseen[k], peak=peak))
        return tuple(warnings)

    def _warning(self, k: int, strips: int, *, count: int, peak: float) -> str:
        return (
            f"class {k + 1} ({self.class_names[k]}) was found on none of its {strips} validation "
            f"strips, {count} validations in a row; its highest probability there is {peak:.2g}. "
            "Raise its data.class_shares and loss.positive_weights, add loss.dice or loss.lovasz, "
            "or train longer"
        )

    def state_dict(self) -> dict[str, list[int]]:
        """All that is needed to go on."""
        return {"unseen": list(self.unseen), "asleep": list(self.asleep)}

    def load_state_dict(self, state: dict[str, list[int]]) -> None:
        """Go on from a saved state."""
        self.unseen, self.asleep = list(state["unseen"]), list(state["asleep"])


def _is_due(count: int, after: int) -> bool:
    """A warning comes when the count is reached and each time it is reached again."""
    return count > 0 and count % after == 0
