"""Random changes to a crop that leave its label right; all numpy, about a millisecond."""

import numpy as np

from train.strips import ClassMap, Grey

LUT_CHANCE = 0.8
BAR_CHANCE = 0.1


def augment(grey: Grey, classes: ClassMap, *, rng: np.random.Generator) -> tuple[Grey, ClassMap]:
    """Flip, re-expose and perhaps black out one end of a crop (H, W) and its class map."""
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        grey, classes = grey[:, ::-1], classes[:, ::-1]
    if rng.random() < 0.5:  # noqa: PLR2004 - a coin
        grey, classes = grey[::-1], classes[::-1]
    if rng.random() < LUT_CHANCE:
        grey = _exposure_curve(rng)[grey]
    if rng.random() < BAR_CHANCE:
        grey, classes = _blacken_one_end(grey, classes, rng=rng)
    return np.ascontiguousarray(grey), np.ascontiguousarray(classes)


def _exposure_curve(rng: np.random.Generator) -> Grey:
    """Gamma, gain and offset in one table of 256 grey values."""
    gamma = np.exp(rng.uniform(-0.3, 0.3))
    gain = np.exp(rng.uniform(-0.3, 0.3))
    offset = rng.uniform(-15, 15)
    values = 255 * np.linspace(0, 1, 256) ** gamma * gain + offset
    return np.asarray(values.clip(0, 255), np.uint8)


def _blacken_one_end(
    grey: Grey, classes: ClassMap, *, rng: np.random.Generator
) -> tuple[Grey, ClassMap]:
    """Strip edge: what is dark background has no defect, whatever lay there before."""
    grey, classes = grey.copy(), classes.copy()
    width = int(rng.uniform(0.05, 0.4) * grey.shape[1])
    end = slice(None, width) if rng.random() < 0.5 else slice(-width, None)  # noqa: PLR2004 - a coin
    grey[:, end] = rng.integers(0, 8, (grey.shape[0], width), dtype=np.uint8)
    classes[:, end] = 0
    return grey, classes
