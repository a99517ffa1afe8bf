"""What a batch is made of: as configured, as far as the strips allow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from train.config import DataConfig
from train.data.clean import CleanStretches
from train.data.strips import DataError, StripSet

FEW_STRIPS = 10
Kind: TypeAlias = Literal["simulated", "clean_strips", "clean_windows", "defects"]
KINDS: tuple[Kind, ...] = ("simulated", "clean_strips", "clean_windows", "defects")


@dataclass(frozen=True, slots=True)
class Pool:
    """Strips of one kind and which of them have which class.

    Attributes:
        strips: the pixels.
        with_class: K arrays of row numbers: the strips that have class 1, 2, ...
        clean: row numbers of those without any.
        class_shares: (K,) shares of 1 that defective crops are picked for; all 0 where every strip
            is clean.
    """

    strips: StripSet
    with_class: tuple[NDArray[np.int64], ...]
    clean: NDArray[np.int64]
    class_shares: NDArray[np.float64]

    @classmethod
    def of(cls, strips: StripSet, *, class_shares: Sequence[float] = ()) -> "Pool":
        """Index a set of strips. Classes that no strip has get no share; empty means evenly."""
        presence = strips.presence()
        is_present = presence.any(axis=0)
        shares = is_present * (np.array(class_shares) if class_shares else 1.0)
        if not shares.any():
            shares = is_present.astype(float)
        return cls(
            strips=strips,
            with_class=tuple(np.flatnonzero(column) for column in presence.T),
            clean=np.flatnonzero(~presence.any(axis=1)),
            class_shares=shares / max(1e-9, shares.sum()),
        )

    def pick(self, rng: np.random.Generator, *, clean: bool) -> tuple[int, int]:
        """A row and the class it was drawn for, 0 where it was drawn for being clean.

        What there is none of is replaced by the other.
        """
        if (clean and self.clean.size) or not self.has_defects:
            return int(rng.choice(self.clean)), 0
        k = int(rng.choice(len(self.class_shares), p=self.class_shares))
        return int(rng.choice(self.with_class[k])), k + 1

    @property
    def has_defects(self) -> bool:
        """Whether any strip has a label."""
        return bool(self.class_shares.any())


@dataclass(frozen=True, slots=True)
class Mix:
    """What crops are picked for, as shares of 1.

    Attributes:
        simulated: simulated strips.
        clean_strips: real strips without defects.
        clean_windows: strips put together from defect-free stretches of real ones.
        defects: real strips with defects, by class as `Pool.class_shares` says.
    """

    simulated: float
    clean_strips: float
    clean_windows: float
    defects: float

    def pick(self, rng: np.random.Generator) -> Kind:
        """Draw what the next crop is picked for."""
        shares = (self.simulated, self.clean_strips, self.clean_windows, self.defects)
        return KINDS[int(rng.choice(len(KINDS), p=shares))]


def plan_mix(data: DataConfig, real: Pool, simulated: Pool, stretches: CleanStretches) -> Mix:
    """Fit the configured shares to what there is.

    Clean crops of one kind stand in for those of the other; what can't be had at all leaves its
    share to all others alike. An epoch takes strips as they come, so there is nothing to mix.

    Raises:
        DataError: nothing that is asked for can be had.
    """
    if data.sampling == "epoch":
        return Mix(0.0, 0.0, 0.0, 1.0)
    windows = data.clean_window_share
    if not len(stretches):
        windows = 0.0
    elif not real.clean.size:
        windows = 1.0
    can_be_clean = bool(len(stretches) or real.clean.size)
    shares = np.array(
        [
            data.simulated_share * bool(len(simulated.strips)),
            data.clean_share * (1 - windows) * can_be_clean,
            data.clean_share * windows * can_be_clean,
            max(0.0, 1 - data.simulated_share - data.clean_share) * real.has_defects,
        ]
    )
    if not shares.any():
        raise DataError(
            f"nothing to train on: of {len(real.strips)} strips {real.clean.size} are clean, "
            f"{len(simulated.strips)} are simulated; the shares in [data] leave all of them out"
        )
    return Mix(*(shares / shares.sum()).tolist())


def mix_notes(data: DataConfig, real: Pool, simulated: Pool, mix: Mix) -> tuple[str, ...]:
    """Say in sentences what the strips don't allow as it was configured, for the log of a run."""
    notes = []
    if data.simulated_share and not mix.simulated:
        notes.append("there are no simulated strips: their share goes to real ones")
    if data.clean_share and not mix.clean_strips + mix.clean_windows:
        notes.append("no strip and no stretch is free of defects: expect many false alarms")
    elif data.clean_share and not real.clean.size:
        notes.append("no strip is free of defects: clean crops are put together from stretches")
    if not mix.defects:
        notes.append("no real strip with defects is trained on")
    for number, rows in enumerate(real.with_class, start=1):
        strips = rows.size + (simulated.with_class[number - 1].size if mix.simulated else 0)
        if not strips:
            notes.append(f"class {number} is on no strip: it can't be learned")
        elif strips < FEW_STRIPS:
            notes.append(f"class {number} is on {strips} strips only: they come again and again")
    return tuple(notes)
