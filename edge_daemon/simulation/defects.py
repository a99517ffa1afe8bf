"""Defects, each drawn alone; the classes follow those of the Severstal strips.

Every defect has one connected label, so that what is drawn as one is found as one.
"""

import numpy as np
from numpy.typing import NDArray

from edge_daemon.simulation.marks import (
    INCLUSION,
    PATCH,
    PITTING,
    SCRATCH,
    Gain,
    Mark,
    make_defect,
)
from edge_daemon.simulation.shapes import (
    draw_body,
    draw_roughness,
    draw_spindle,
    draw_wander,
    emboss,
    taper,
)

SHARE_DARK = 0.7  # of scratches and patches; the others are brighter than the steel
FLIPPED = 0.5  # of the gouges rise to the right
FLANK = 8  # columns left free on both sides of what runs along the strip


def draw_pit(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """A hole or dent: dark, torn at the border, with glints where a flank faces the lamp."""
    margin = int(rng.integers(3, 7))
    body = draw_body(rng, height, width, margin=margin, jagged=rng.uniform(0.12, 0.4))
    floor = draw_roughness(rng, body.shape, rng.uniform(3, 6), stretch=1.4)
    flank = emboss(body * (1 + 0.4 * floor), blur=rng.uniform(0.8, 1.6))
    glint = rng.uniform(0.3, 1.2) * np.clip(flank - rng.uniform(0.8, 1.8), 0, 3)
    gain = 1 - rng.uniform(0.35, 0.65) * body * (1 + 0.3 * floor) - 0.08 * flank + glint
    return make_defect("pit", PITTING, gain=gain, body=body, margin=margin)


def draw_pit_row(rng: np.random.Generator, *, height: int) -> Mark:
    """Pits strung along the rolling direction, close enough to be labelled as one."""
    margin = int(rng.integers(4, 7))
    width = int(rng.integers(8, 16))
    across = _across(height, width, centre=1.5 * draw_wander(rng, height, pitch=60))
    lane = np.exp(-((across / (0.32 * width)) ** 2))
    holes = np.clip(0.4 + draw_roughness(rng, lane.shape, 3.0, stretch=2.0), 0, 1.6) * lane
    flank = np.clip(emboss(holes) - 0.8, 0, 3) * lane
    gain = 1 - 0.2 * lane - rng.uniform(0.3, 0.5) * holes + rng.uniform(0.1, 0.8) * flank
    return make_defect("pit_row", PITTING, gain=gain, body=lane, margin=margin)


def draw_inclusion(rng: np.random.Generator, *, height: int) -> Mark:
    """A sliver drawn out along the rolling direction: a thin dark seam with a light lip."""
    slant = rng.uniform(-0.08, 0.08) * min(height, 250)
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    centre = slant * rows + 0.8 * draw_wander(rng, height, pitch=40)
    across = _across(height, int(abs(slant)) + 10, centre=centre)
    strength = np.clip(0.85 + 0.4 * draw_wander(rng, height, pitch=14), 0.35, 1.2)
    thickness = rng.uniform(1.2, 2.8) * taper(height, max(8, height // 6))
    seam = np.exp(-((across / thickness) ** 2))
    lip = np.exp(-(((across - 2.2 * thickness) / thickness) ** 2))
    gain = 1 + strength * (-rng.uniform(0.35, 0.65) * seam + rng.uniform(0.1, 0.6) * lip)
    margin = int(rng.integers(3, 7))
    return make_defect("inclusion", INCLUSION, gain=gain, body=seam, margin=margin)


def draw_scratch(rng: np.random.Generator, *, height: int, drift: float = 0.0) -> Mark:
    """A score along the rolling direction: a lane of fine grooves, dark or bright.

    Args:
        rng: source of all randomness.
        height: length in rows.
        drift: columns from its head to its tail.
    """
    lane = rng.uniform(2.5, 14)
    rows = np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    centre = drift * rows + 1.2 * draw_wander(rng, height, pitch=max(80, height / 6))
    across = _across(height, int(abs(drift) + 1.4 * lane) + 4, centre=centre)
    half = 0.5 * lane * taper(height, max(10, min(height // 5, 150)))
    body = np.clip(1.5 + half - np.abs(across), 0, 1)
    tone = rng.uniform(-0.3, 0.0) if rng.random() < SHARE_DARK else rng.uniform(0.1, 0.5)
    gain = 1 + tone * body * np.clip(
        0.8 + 0.3 * draw_roughness(rng, body.shape, 4, stretch=6), 0, 2
    )
    for _ in range(int(rng.integers(1, 3 + int(lane / 3)))):
        gain += body * _draw_groove(rng, across - rng.uniform(-0.45, 0.45) * lane, tone)
    margin = int(rng.integers(3, 8))
    return make_defect("scratch", SCRATCH, gain=gain, body=body, margin=margin)


def _draw_groove(rng: np.random.Generator, across: Gain, tone: float) -> NDArray[np.floating]:
    """One groove, dark with glitter in it or bright, as the tone of the lane is."""
    height = len(across)
    strength = np.clip(0.8 + 0.5 * draw_wander(rng, height, pitch=rng.uniform(10, 60)), 0.2, 1.6)
    groove = strength * np.exp(-((across / rng.uniform(0.9, 2.6)) ** 2))
    rough = draw_roughness(rng, across.shape, 1.3, stretch=2.0)
    if tone > 0:
        return np.asarray(rng.uniform(0.2, 1.2) * groove * np.clip(0.8 + 0.5 * rough, 0, 2))
    glitter = np.clip(rough - 1.2, 0, None)
    return np.asarray((rng.uniform(-0.55, -0.2) + rng.uniform(0, 1.6) * glitter) * groove)


def draw_gouge(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """A bundle of glaring strokes at any angle, torn when the strip hit something."""
    margin = int(rng.integers(4, 9))
    shape = (height + 2 * margin, width + 2 * margin)
    flip = rng.random() < FLIPPED
    start = np.array([shape[0] - margin if flip else margin, margin], np.float64)
    end = np.array([margin if flip else shape[0] - margin, shape[1] - margin], np.float64)
    across = np.array([end[1] - start[1], start[0] - end[0]]) / np.hypot(*(end - start))
    thickness = rng.uniform(5, 0.15 * np.hypot(height, width) + 6)
    body = draw_spindle(shape, start=start, end=end, thickness=thickness + 3)
    strokes = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(2, 3 + int(thickness / 3)))):
        first, last = np.sort(rng.uniform(0.02, 0.98, 2))
        shift = across * rng.uniform(-0.35, 0.35) * thickness
        stroke = draw_spindle(
            shape,
            start=start + first * (end - start) + shift,
            end=start + last * (end - start) + shift,
            thickness=rng.uniform(1.5, 5),
        )
        strokes = np.maximum(strokes, stroke)
    core = draw_spindle(shape, start=start, end=end, thickness=rng.uniform(1.5, 4))
    rough = np.clip(0.8 + 0.4 * draw_roughness(rng, shape, 2), 0, 2)
    glare = np.maximum(strokes, core) * rough * body
    gain = 1 + rng.uniform(0.8, 3.5) * glare - rng.uniform(0, 0.3) * body * (1 - strokes)
    return make_defect("gouge", SCRATCH, gain=gain, body=body, margin=margin)


def draw_flakes(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """Torn surface: glaring chips and dark holes close together; labelled as scratch."""
    margin = int(rng.integers(4, 9))
    body = draw_body(rng, height, width, margin=margin, jagged=rng.uniform(0.1, 0.4))
    stretch = rng.uniform(0.5, 2.5)
    size = rng.uniform(2, 6)
    chips = draw_roughness(rng, body.shape, size, stretch=stretch)
    chips += 0.6 * draw_roughness(rng, body.shape, 1.5)
    glare = np.clip((chips - 0.6) * 1.5, 0, 1)
    holes = np.clip((-chips - 0.6) * 1.2, 0, 1)
    gain = 1 + body * (rng.uniform(0.6, 2.5) * glare - rng.uniform(0.3, 0.6) * holes)
    return make_defect("flakes", SCRATCH, gain=gain, body=body, margin=margin)


def draw_patch(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """A lifted or rolled-in shell: torn outline, folded relief, a shadow under its edge."""
    margin = int(rng.integers(4, 9))
    body = draw_body(rng, height, width, margin=margin, jagged=rng.uniform(0.12, 0.35))
    fold = max(5.0, min(height, width) / rng.uniform(3, 9))
    stretch = rng.uniform(0.4, 1.2)
    ridges = -np.abs(draw_roughness(rng, body.shape, fold, stretch=stretch))
    relief = ridges + 0.25 * draw_roughness(rng, body.shape, fold / 2, stretch=stretch)
    shade = emboss(relief, blur=fold / rng.uniform(3, 9))
    shade = rng.uniform(0.12, 0.3) * shade + rng.uniform(0, 0.8) * np.clip(shade - 1.5, 0, 3)
    rough = draw_roughness(rng, body.shape, 1.5) * rng.uniform(0.03, 0.14)
    tone = rng.uniform(-0.5, -0.2) if rng.random() < SHARE_DARK else rng.uniform(0.15, 0.6)
    slope = 1 + 0.25 * draw_roughness(rng, body.shape, max(body.shape))
    rim = emboss(body) * rng.uniform(0.02, 0.1)
    gain = 1 + body * (tone * slope + shade + rough) + rim
    return make_defect("patch", PATCH, gain=gain, body=body, margin=margin)


def draw_roll_mark(rng: np.random.Generator, *, height: int, width: int) -> Mark:
    """The print of a damaged work roll: a small dent with a raised rim, labelled as pitting."""
    margin = 4
    body = draw_body(rng, height, width, margin=margin, jagged=0.25)
    gain = 1 - rng.uniform(0.4, 0.6) * body + 0.25 * emboss(body)
    return make_defect("roll_mark", PITTING, gain=gain, body=body, margin=margin)


def _across(height: int, width: int, *, centre: NDArray[np.floating]) -> Gain:
    """Columns from the centre line, (height, width + 2 * FLANK); `centre` is (height, 1)."""
    columns = np.arange(width + 2 * FLANK, dtype=np.float32)[None, :]
    return np.asarray(columns - (width / 2 + FLANK) - centre, np.float32).reshape(height, -1)
