"""Irregular shapes and surfaces that marks are made of."""

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # (h, w)
Column = NDArray[np.float32]  # (h, 1), a value for each row


def draw_roughness(
    rng: np.random.Generator, shape: tuple[int, ...], size: float, *, stretch: float = 1.0
) -> Field:
    """Noise of unit variance with features of about `size` pixels, `stretch` times longer along."""
    height, width = shape
    size = max(1.0, size)
    nodes = (max(3, int(height / (size * stretch)) + 2), max(3, int(width / size) + 2))
    coarse = rng.standard_normal(nodes, np.float32)
    noise = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(noise / max(float(noise.std()), 1e-3), np.float32)


def draw_body(
    rng: np.random.Generator, height: int, width: int, *, margin: int, jagged: float
) -> Field:
    """An irregular filled shape, 0 outside and 1 inside, about `height` by `width`.

    Args:
        rng: source of all randomness.
        height: rows of the shape.
        width: columns of the shape.
        margin: empty border around it.
        jagged: 0 is an ellipse, 0.5 is torn.

    Returns:
        Field (height + 2 * margin, width + 2 * margin), soft over a pixel at the outline.
    """
    shape = (height + 2 * margin, width + 2 * margin)
    y = (np.arange(shape[0], dtype=np.float32)[:, None] - shape[0] / 2) / (height / 2)
    x = (np.arange(shape[1], dtype=np.float32)[None, :] - shape[1] / 2) / (width / 2)
    distance = np.sqrt(x * x + y * y, dtype=np.float32)
    size = min(height, width)
    torn = draw_roughness(rng, shape, size / 3) + 0.5 * draw_roughness(rng, shape, size / 9)
    inside = 0.8 - distance + jagged * torn
    inside[distance > 1] = -1
    return _keep_largest(np.asarray(np.clip(0.5 + inside * size / 4, 0, 1), np.float32))


def _keep_largest(body: Field) -> Field:
    """The largest connected piece; crumbs around it would be left without a label."""
    pieces = (body > 0).astype(np.uint8)
    _, piece_of, stats, _ = cv2.connectedComponentsWithStats(pieces, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if len(areas) > 1:
        body[piece_of != 1 + int(np.argmax(areas))] = 0
    return body


def draw_spindle(
    shape: tuple[int, ...],
    *,
    start: NDArray[np.floating],
    end: NDArray[np.floating],
    thickness: float,
) -> Field:
    """A stroke from `start` to `end`, both (row, column): pointed at the ends, 0..1."""
    t = np.linspace(0, 1, 16)[:, None]
    along = end - start
    normal = np.array([-along[1], along[0]]) / max(1.0, float(np.hypot(*along)))
    half = 0.5 * thickness * np.sqrt(np.sin(np.pi * t)) * normal
    outline = np.concatenate([start + t * along + half, (start + t * along - half)[::-1]])
    canvas = np.zeros(shape, np.uint8)
    # three binary digits behind the point: thin strokes would vanish on whole pixels
    points = (outline[:, ::-1] * 8).round().astype(np.int32)
    cv2.fillPoly(canvas, [points], 255, lineType=cv2.LINE_AA, shift=3)
    return np.asarray(canvas / 255, np.float32)


def emboss(relief: Field, *, blur: float = 0.8) -> Field:
    """Light from above and a little from the left onto a blurred height map; unit variance."""
    smooth = cv2.GaussianBlur(relief, (0, 0), blur)
    shade = cv2.Sobel(smooth, cv2.CV_32F, 0, 1) + 0.4 * cv2.Sobel(smooth, cv2.CV_32F, 1, 0)
    return np.asarray(shade / max(float(shade.std()), 1e-3), np.float32)


def draw_wander(rng: np.random.Generator, height: int, *, pitch: float) -> Column:
    """A value that wanders along the rows, about unit variance."""
    nodes = rng.standard_normal(int(height / pitch) + 3)
    position = np.linspace(0, len(nodes) - 1, height)
    return np.interp(position, np.arange(len(nodes)), nodes).astype(np.float32)[:, None]


def taper(height: int, rows: int) -> Column:
    """1 in the middle, falling to 0.2 over `rows` rows at both ends."""
    ends = np.minimum(np.arange(height), np.arange(height)[::-1]) + 1
    return np.clip(ends / rows, 0.2, 1).astype(np.float32)[:, None]
