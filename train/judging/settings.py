"""Choosing a threshold and a minimum area for each class: what is best, at what price of an alarm.

Which settings are best depends on what counts:

    kaggle   the mean Dice on the mix of strips that the configuration states (`data.class_priors`,
             `data.defective_prior`). A rare class is then best hardly ever reported.
    alarms   how well defects are outlined (positives-only Dice, each class counting alike) and how
             many are found (each class counting as often as it comes), while at most a stated share
             of clean strips is alarmed on, the budget: what a mill asks for.

Both add up over the classes, but a clean strip is alarmed on if any class is reported, so the
budget has to be shared out among them. That is done by a price: each class takes the setting with
the most merit less price times its alarms on clean strips, and the price is raised until the budget
is kept. At one price for all, no class could give up an alarm more cheaply than another (the
Lagrangian of the joint choice: Everett, Generalized Lagrange multiplier method, 1963).

Held-out clean strips are few and settings are many, so some look good by luck. Two things help:
merits are averaged over neighbouring settings (a lone peak is luck, a plateau holds on other
strips), and a price is judged by the alarms on groups of strips that were left out of the fit.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from train.judging.figures import Prior
from train.judging.grouping import GROUPS
from train.judging.trials import Trials

T = TypeVar("T", bound=np.generic)

Objective: TypeAlias = Literal["kaggle", "alarms"]
Settings: TypeAlias = tuple[tuple[int, int], ...]
"""For each of K classes, its row in THRESHOLDS and in MIN_AREAS_PX."""
Ladder: TypeAlias = list[Settings]
"""The best settings at each of PRICES."""
Chosen: TypeAlias = NDArray[np.bool_]
"""(N,): the strips that are looked at."""

PRICES = (0.0, *(float(price) for price in 2.0 ** np.arange(-6, 6.1, 0.5)))
"""Of alarming on all clean strips: how much merit that must bring."""
MISNAMED_COST = 0.25
"""Objective `alarms`: reporting a class on a strip with other defects only, beside what outlining
its own strips is worth. The strip is defective after all; only the name is wrong."""
NOISE = 0.002
"""Of a merit: labels aren't exact enough to tell settings closer than this apart."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Settings, and what they were chosen at.

    Attributes:
        settings: of K classes.
        price: of an alarm.
        keeps_budget: whether it did so on strips that were left out; `kaggle` has none to keep.
    """

    settings: Settings
    price: float
    keeps_budget: bool


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses settings by any part of N strips.

    Attributes:
        trials: tables of all strips.
        groups: (N,) group of each strip, 0..4.
        prior: the mix of strips where the network will work.
        objective: what to make the most of.
        dice: (K, T, A, N), of the tables.
        is_reported: (K, T, A, N): anything is predicted.
        has_class: (K, N) labels.
        is_clean: (N,) strips without any label.
    """

    trials: Trials
    groups: NDArray[np.int64]
    prior: Prior
    objective: Objective
    dice: NDArray[np.float64]
    is_reported: NDArray[np.bool_]
    has_class: NDArray[np.bool_]
    is_clean: NDArray[np.bool_]

    @classmethod
    def of(
        cls, trials: Trials, groups: NDArray[np.int64], prior: Prior, objective: Objective
    ) -> "Chooser":
        """Derive from the tables what is needed again and again."""
        has_class = trials.truth > 0
        return cls(
            trials=trials,
            groups=groups,
            prior=prior,
            objective=objective,
            dice=trials.dice(),
            is_reported=trials.predicted > 0,
            has_class=has_class,
            is_clean=np.asarray(~has_class.any(axis=0)),
        )

    def choose(self, chosen: Chosen, *, budget: float) -> Choice:
        """The settings at the lowest price that keeps to the budget on strips left out.

        Where no price does, the lowest of those with the fewest alarms is taken.
        """
        whole = self.ladder(chosen)
        if self.objective == "kaggle":
            return Choice(whole[0], PRICES[0], keeps_budget=True)
        alarms = np.zeros(len(PRICES), np.int64)
        for left_out, ladder in self.cross_ladders(chosen):
            alarms += [self.alarms(settings, left_out) for settings in ladder]
        allowed = budget * np.count_nonzero(chosen & self.is_clean)
        step = int((alarms <= max(allowed, alarms.min())).argmax())
        return Choice(whole[step], PRICES[step], keeps_budget=bool(alarms[step] <= allowed))

    def cross_ladders(self, chosen: Chosen) -> list[tuple[Chosen, Ladder]]:
        """Each group of the chosen strips, with a ladder fitted on the others."""
        ladders = []
        for group in range(GROUPS):
            is_in = chosen & (self.groups == group)
            if is_in.any():
                ladders.append((is_in, self.ladder(chosen & ~is_in)))
        return ladders

    def ladder(self, chosen: Chosen) -> Ladder:
        """The best settings on these strips at every price."""
        merits = self.merits(chosen)
        alarms = _mean(self.is_reported[..., chosen & self.is_clean])
        return [_best(merits - price * alarms) for price in PRICES]

    def merits(self, chosen: Chosen) -> NDArray[np.float64]:
        """(K, T, A) merit of each setting, averaged over its neighbours."""
        prior = self.prior
        merits = np.empty(self.dice.shape[:3])
        for k, has_class in enumerate(self.has_class):
            with_it = chosen & has_class
            outlined = _mean(self.dice[k][..., with_it])
            misnamed = _mean(self.is_reported[k][..., chosen & ~has_class & ~self.is_clean])
            if self.objective == "kaggle":
                share, clean = prior.classes[k], 1 - prior.defective
                alarmed = _mean(self.is_reported[k][..., chosen & self.is_clean])
                merit = share * outlined - (1 - share - clean) * misnamed - clean * alarmed
            else:
                found = _mean(self.trials.common[k][..., with_it] > 0)
                share = prior.classes[k] / sum(prior.classes)
                merit = (outlined - MISNAMED_COST * misnamed) / len(merits) + share * found
            merits[k] = cv2.blur(merit, (3, 3), borderType=cv2.BORDER_REPLICATE)
        return merits

    def alarms(self, settings: Settings, chosen: Chosen) -> int:
        """How many of the chosen clean strips are alarmed on."""
        return int(
            at_settings(self.is_reported, settings)[:, chosen & self.is_clean].any(axis=0).sum()
        )


def at_settings(table: NDArray[T], settings: Settings) -> NDArray[T]:
    """(K, N) of a table (K, T, A, N) at a setting for each class."""
    return np.stack([table[k, t, a] for k, (t, a) in enumerate(settings)])


def _best(values: NDArray[np.float64]) -> Settings:
    """The best setting of each class (K, T, A).

    Of those that are as good within the labels' noise, the one with the largest area, then with the
    highest threshold: specks and fragments are no news to a mill.
    """
    settings = []
    for plane in values:
        columns, rows = np.nonzero(plane.max() - NOISE <= plane.T)
        settings.append((int(rows[-1]), int(columns[-1])))
    return tuple(settings)


def _mean(values: NDArray[np.float64] | NDArray[np.bool_]) -> NDArray[np.float64]:
    """Over the last axis; 0 where it is empty."""
    return np.asarray(values.mean(axis=-1) if values.shape[-1] else np.zeros(values.shape[:-1]))
