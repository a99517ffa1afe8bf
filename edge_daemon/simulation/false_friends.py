"""What looks like a defect at first sight and is none: paint, chalk, water, oil."""

import cv2
import numpy as np

from edge_daemon.simulation.marks import Mark, make_false_friend
from edge_daemon.simulation.shapes import draw_body, draw_roughness

BORDER = 12
SHARE_DARK_SPLASHES = 0.5


def draw_paint(rng: np.random.Generator, *, height: int) -> Mark:
    """Digits dabbed on by hand: glaring, blotchy, some with a hollow middle."""
    text = "".join(str(digit) for digit in rng.integers(0, 10, int(rng.integers(1, 5))))
    scale = height / 22
    width = int(20 * scale * len(text))
    canvas = np.zeros((height + 2 * BORDER, width + 2 * BORDER), np.uint8)
    cv2.putText(
        canvas,
        text,
        (BORDER, height + BORDER),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        255,
        max(2, int(height / rng.uniform(8, 16))),
        cv2.LINE_AA,
    )
    stroke = _shake(rng, canvas, by=rng.uniform(1.5, 4))
    blots = 0.9 + rng.uniform(0.4, 1.5) * draw_roughness(rng, stroke.shape, rng.uniform(3, 9))
    return make_false_friend("paint", 1 + rng.uniform(1, 4) * stroke * np.clip(blots, 0, 1))


def _shake(rng: np.random.Generator, canvas: np.ndarray, *, by: float) -> np.ndarray:
    """The drawing as an unsteady hand would have made it, 0..1."""
    height, width = canvas.shape
    x = np.arange(width, dtype=np.float32)[None, :] + by * draw_roughness(rng, canvas.shape, 14)
    y = np.arange(height, dtype=np.float32)[:, None] + by * draw_roughness(rng, canvas.shape, 14)
    return cv2.remap(canvas, x, y, cv2.INTER_LINEAR).astype(np.float32) / 255


def draw_chalk(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """A stroke of chalk or crayon."""
    t = np.linspace(0, 1, 24)
    bends, phase = rng.uniform(2, 8, 2), rng.uniform(0, 6, 2)
    x = width * (0.1 + 0.8 * t + 0.08 * np.sin(t * bends[0] + phase[0]))
    y = height * (0.5 + 0.4 * np.sin(t * bends[1] + phase[1]))
    canvas = np.zeros((height, width), np.uint8)
    points = np.stack([x, y], axis=1).astype(np.int32)
    cv2.polylines(
        canvas,
        [points],
        isClosed=False,
        color=255,
        thickness=int(rng.integers(2, 7)),
        lineType=cv2.LINE_AA,
    )
    grip = np.clip(0.5 + 0.5 * draw_roughness(rng, canvas.shape, 1.5), 0, 1)
    return make_false_friend("chalk", 1 + rng.uniform(0.3, 1.0) * grip * canvas / 255)


def draw_water_stain(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """A dried puddle: faint inside, with a thin rim."""
    body = draw_body(rng, height, width, margin=8, jagged=rng.uniform(0.05, 0.25))
    soft = cv2.GaussianBlur(body, (0, 0), rng.uniform(1.5, 4))
    rim = 4 * soft * (1 - soft)
    tint = rng.uniform(-0.15, 0.1) * soft + rng.choice([-1, 1]) * rng.uniform(0.06, 0.16) * rim
    return make_false_friend("water_stain", 1 + tint)


def draw_oil_drop(rng: np.random.Generator, *, height: int) -> Mark:
    """A drop of oil run out along the rolling direction: soft, dark, pointed at both ends."""
    width = int(rng.integers(4, 12))
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    half = 0.5 * width * np.clip(1 - rows**2, 0, 1)
    across = np.abs(np.arange(width + 6, dtype=np.float32)[None, :] - (width + 6) / 2)
    body = cv2.GaussianBlur(np.clip(half - across + 0.5, 0, 1), (0, 0), 1.0)
    return make_false_friend("oil_drop", 1 - rng.uniform(0.15, 0.4) * body)


def draw_splash(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """Fine droplets that dried light or dark, thinning out from the middle."""
    body = draw_body(rng, height, width, margin=4, jagged=0.3)
    cloud = cv2.GaussianBlur(body, (0, 0), max(2.0, min(height, width) / 6))
    drops = np.clip(draw_roughness(rng, body.shape, rng.uniform(2, 4)) - 2.2 + cloud, 0, 1)
    tone = rng.uniform(-0.5, -0.25) if rng.random() < SHARE_DARK_SPLASHES else rng.uniform(0.3, 1.2)
    return make_false_friend("splash", 1 + tone * drops)
