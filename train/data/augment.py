"""Random changes to a crop that leave its label right: numpy and OpenCV, about a millisecond."""

from dataclasses import dataclass
from statistics import NormalDist

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.strips import ClassMap, Grey

COIN = 0.5
BLUR_PX = 3
MAX_NOISE = 6.0
"""Standard deviation of the strongest noise, in grey values."""
BLACKOUT_MARGIN_PX = 8
"""Columns beside a defect that are painted over with it: labels end early."""
_NORMAL = np.array([NormalDist().inv_cdf((n + 0.5) / 256) for n in range(256)], np.float32)


@dataclass(frozen=True, slots=True)
class Strength:
    """How often each change is made, as shares of 1.

    Attributes:
        exposure: other brightness, contrast and gamma.
        bar: one end goes black, as where the strip ends.
        blur: a little out of focus.
        noise: of the sensor.
        blackout: defects are painted over with the texture beside them, and their label is cleared.
    """

    exposure: float = 0.8
    bar: float = 0.1
    blur: float = 0.0
    noise: float = 0.0
    blackout: float = 0.0


USUAL = Strength()
STRONG = Strength(blur=0.15, noise=0.15, blackout=0.05)


def augment(
    grey: Grey, classes: ClassMap, *, rng: np.random.Generator, strength: Strength = USUAL
) -> tuple[Grey, ClassMap]:
    """Change a crop (H, W) and its class map at random; the originals stay as they are."""
    if rng.random() < COIN:
        grey, classes = grey[:, ::-1], classes[:, ::-1]
    if rng.random() < COIN:
        grey, classes = grey[::-1], classes[::-1]
    if rng.random() < strength.blackout:
        grey, classes = black_out_defects(grey, classes)
    if rng.random() < strength.blur:
        grey = np.asarray(cv2.blur(np.ascontiguousarray(grey), (BLUR_PX, BLUR_PX)), np.uint8)
    if rng.random() < strength.noise:
        grey = _add_noise(grey, rng=rng)
    if rng.random() < strength.exposure:
        grey = np.asarray(cv2.LUT(np.ascontiguousarray(grey), _exposure_curve(rng)), np.uint8)
    if rng.random() < strength.bar:
        grey, classes = _blacken_one_end(grey, classes, rng=rng)
    return np.ascontiguousarray(grey, np.uint8), np.ascontiguousarray(classes)


def black_out_defects(grey: Grey, classes: ClassMap) -> tuple[Grey, ClassMap]:
    """Paint columns with defects over with a mirror image of what lies beside them.

    A stretch of such columns that is wider than both its defect-free neighbours keeps its defects
    and their label.
    """
    grey, classes = grey.copy(), classes.copy()
    width = grey.shape[1]
    marked = np.asarray(classes.any(axis=0, keepdims=True), np.uint8)
    grown = cv2.dilate(marked, np.ones((1, 2 * BLACKOUT_MARGIN_PX + 1), np.uint8)).ravel()
    edges = np.flatnonzero(np.diff(np.r_[0, grown, 0].astype(np.int8))).reshape(-1, 2)
    limits = np.r_[0, edges.ravel(), width].reshape(-1, 2)  # the defect-free stretches
    for (begin, end), before, after in zip(edges, limits, limits[1:], strict=False):
        span = end - begin
        if span <= before[1] - before[0]:
            grey[:, begin:end] = grey[:, begin - span : begin][:, ::-1]
        elif span <= after[1] - after[0]:
            grey[:, begin:end] = grey[:, end : end + span][:, ::-1]
        else:
            continue
        classes[:, begin:end] = 0
    return grey, classes


def _add_noise(grey: Grey, *, rng: np.random.Generator) -> Grey:
    """Normal noise, by a table of 256 quantiles: a byte per pixel is cheap to draw."""
    levels = np.rint(_NORMAL * rng.uniform(1, MAX_NOISE)).astype(np.int16)
    noise: NDArray[np.int16] = levels[rng.integers(0, 256, grey.shape, dtype=np.uint8)]
    noise += grey
    return noise.clip(0, 255).astype(np.uint8)


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
    width = max(1, int(rng.uniform(0.05, 0.4) * grey.shape[1]))
    end = slice(None, width) if rng.random() < COIN else slice(-width, None)
    grey[:, end] = rng.integers(0, 8, (grey.shape[0], width), dtype=np.uint8)
    classes[:, end] = 0
    return grey, classes
