"""How far a figure could be off because it was measured on these strips and not on others.

Figures that are counted (so many of so many strips) get Wilson's interval, which is right even
where nothing or everything was counted. All others get the percentile bootstrap over strips: the
set is drawn again a thousand times with replacement, as if each drawing were another set from the
same line, and the figure is measured on each. A drawing is a row of weights, one per strip (how
often it was drawn), so that a thousand of them are one matrix product.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
PERCENTILES = (2.5, 97.5)
NORMAL_95 = 1.959963985
"""97.5 % point of the normal distribution."""

Weights: TypeAlias = NDArray[np.float64]
"""(R, N): how often each of N strips counts in each of R drawings."""
Values: TypeAlias = NDArray[np.float64]
"""(R,): a figure on each drawing; nan where that drawing has nothing to measure it on."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, ends included."""

    low: float
    high: float


def as_they_are(strips: int) -> Weights:
    """The one drawing in which every strip counts once."""
    return np.ones((1, strips))


def draw_again(strips: int, *, resamples: int, seed: int) -> Weights:
    """Drawings of as many strips from the set, with replacement."""
    if not strips:
        return np.ones((resamples, 0))
    share = np.full(strips, 1 / strips)
    return np.random.default_rng(seed).multinomial(strips, share, resamples).astype(np.float64)


def bootstrap_interval(values: Values) -> Interval | None:
    """The middle 95 % of a figure's values on many drawings; None where it has none.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    measured = values[~np.isnan(values)]
    if not measured.size:
        return None
    low, high = np.percentile(measured, PERCENTILES)
    return Interval(float(low), float(high))


def wilson_interval(count: int, of: int) -> Interval | None:
    """Interval of a share that was counted; None where there was nothing to count.

    Source: Wilson 1927; recommended for small counts by Brown, Cai and DasGupta, Interval
    Estimation for a Binomial Proportion, Statistical Science 16(2), 2001.
    """
    if not of:
        return None
    share, spread = count / of, NORMAL_95**2 / of
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    return Interval(max(0.0, middle - half), min(1.0, middle + half))
