"""Bare steel as a line-scan camera sees it: texture, uneven light, scale, strip edges.

Everything is a function of the absolute row on the coil, so that a frame can be rendered alone and
still joins the next one without a seam.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge_daemon.simulation.marks import GreyLevels, OnSteel
from edge_daemon.simulation.value_noise import Field, Window, value_noise

# shares and contrasts were set by eye and by mean and deviation beside real hot-rolled strips
SHARE_SCALY = 0.6
SHARE_RIPPLED = 0.4
SHARE_FLOWING = 0.2
SHARE_GLITTERING = 0.5
SHARE_CHECKERED = 0.02
BRIGHTEST_LIGHT = 185  # grey level; the camera's exposure control keeps some head-room
EDGE_REACH = 200  # columns beyond which an edge no longer matters
DIM_COLUMNS = 2  # outermost columns of the strip that get too little light to judge
SHARE_EDGED = 0.2  # of strips show their left edge, as many their right one


@dataclass(frozen=True, slots=True)
class Steel:
    """One piece of steel under one lamp.

    Contrasts are relative to the local brightness: 0.1 is a tenth brighter or darker.

    Attributes:
        key: seed of all random fields.
        brightness: mean grey level, 0..255.
        left_edge: column where the strip begins; negative when out of sight.
        right_edge: column where it ends; beyond the width when out of sight.
        edge_contrast: brightness of the shoulder beside an edge; negative is dark.
        light_across: unevenness of the light over the width.
        light_along: unevenness of the light over the rows.
        bands: contrast of broad bands along the rolling direction.
        streaks: contrast of fine streaks along the rolling direction.
        grain: contrast of the fine grain.
        ripple: contrast of the fine waves across the rolling direction.
        ripple_pitch: rows from wave to wave.
        ripple_slope: rows per column.
        mottle: contrast of cloudy unevenness a hand wide.
        flow: contrast of slanting bands that the rolls or the water left.
        scale: contrast of patches of scale; negative is dark.
        scale_cover: roughly how much is covered, in standard deviations below the mean.
        scale_length: length of a scale patch in rows.
        scale_width: width of a scale patch in columns.
        sparkle: brightness of glittering grains.
        dirt: darkness of specks.
        shoulder: columns from an edge that are lit differently.
        is_checker_plate: raised diamonds all over.
    """

    key: int
    brightness: float
    left_edge: float
    right_edge: float
    edge_contrast: float
    light_across: float
    light_along: float
    bands: float
    streaks: float
    grain: float
    ripple: float
    ripple_pitch: float
    ripple_slope: float
    mottle: float
    flow: float
    scale: float
    scale_cover: float
    scale_length: float
    scale_width: float
    sparkle: float
    dirt: float
    shoulder: float
    is_checker_plate: bool


def draw_steel(rng: np.random.Generator, *, width: int = 1600) -> Steel:
    """Draws the character of one piece of steel; proportions follow real hot-rolled strip."""
    left_edge, right_edge = _draw_edges(rng, width)
    scale_width = float(np.exp(rng.uniform(np.log(7), np.log(60))))
    is_scaly = rng.random() < SHARE_SCALY
    return Steel(
        key=int(rng.integers(2**62)),
        brightness=float(np.clip(rng.lognormal(np.log(96), 0.36), 42, 170)),
        left_edge=left_edge,
        right_edge=right_edge,
        edge_contrast=float(rng.uniform(-0.45, 0.5)),
        light_across=float(rng.uniform(0.06, 0.36)),
        light_along=float(rng.uniform(0.02, 0.2)),
        bands=float(rng.uniform(0.01, 0.08)),
        streaks=float(rng.uniform(0.005, 0.04)),
        grain=float(rng.uniform(0.03, 0.11)),
        ripple=float(rng.uniform(0.02, 0.10)) if rng.random() < SHARE_RIPPLED else 0.0,
        ripple_pitch=float(rng.uniform(5, 10)),
        ripple_slope=float(rng.uniform(-0.05, 0.05)),
        mottle=float(rng.uniform(0.01, 0.05)),
        flow=float(rng.uniform(0.04, 0.12)) if rng.random() < SHARE_FLOWING else 0.0,
        scale=float(rng.choice([-0.4, -0.3, -0.2, 0.2, 0.4])) if is_scaly else 0.0,
        scale_cover=float(rng.uniform(0.8, 2.5)),
        scale_length=scale_width * float(rng.uniform(1.5, 8)),
        scale_width=scale_width,
        sparkle=float(rng.uniform(0.3, 1.2)) if rng.random() < SHARE_GLITTERING else 0.0,
        dirt=float(rng.uniform(0.1, 0.5)),
        shoulder=float(rng.uniform(12, 90)),
        is_checker_plate=bool(rng.random() < SHARE_CHECKERED),
    )


def _draw_edges(rng: np.random.Generator, width: int) -> tuple[float, float]:
    far_outside = 1e6
    where = rng.random()
    if where < SHARE_EDGED:
        return float(rng.uniform(0.01, 0.75) * width), far_outside
    if where < 2 * SHARE_EDGED:
        return -far_outside, float(rng.uniform(0.25, 0.99) * width)
    return -far_outside, far_outside


def render_steel(steel: Steel, window: Window) -> tuple[GreyLevels, OnSteel]:
    """Renders bare steel without camera noise.

    Returns:
        Grey levels (H, W) and where there is steel (H, W).
    """
    light = _light(steel, window)
    band = _noise(steel, 1, window, 3000, 90)
    texture = 1 + steel.bands * band + _texture(steel, window, band)
    texture *= _scale(steel, window, band)
    if steel.is_checker_plate:
        texture *= _checker_plate(window)
    edge, on_steel = _edges(steel, window)
    return np.maximum(light * texture, 4) * edge, on_steel


def expose(steel: Steel, window: Window, levels: GreyLevels) -> NDArray[np.uint8]:
    """Turns light into 8-bit grey (H, W): shot and read-out noise, saturation."""
    noise = _noise(steel, 0, window, 1, 1)
    noisy = levels + noise * (0.6 + 0.035 * np.minimum(levels, 255)) + 1.0
    return np.clip(noisy, 0, 255).astype(np.uint8)


def _noise(
    steel: Steel, layer: int, window: Window, pitch_rows: float, pitch_columns: float
) -> Field:
    return value_noise(
        steel.key, layer, window=window, pitch_rows=pitch_rows, pitch_columns=pitch_columns
    )


def _light(steel: Steel, window: Window) -> GreyLevels:
    across = _noise(steel, 2, window, 20_000, 420)
    along = _noise(steel, 3, window, 420, 700)
    light = steel.brightness * np.exp(steel.light_across * across + steel.light_along * along)
    return np.asarray(np.minimum(light, BRIGHTEST_LIGHT), np.float32)


def _texture(steel: Steel, window: Window, band: Field) -> Field:
    rough = np.clip(0.8 + 0.5 * band, 0.2, 2.0)
    texture = steel.streaks * rough * _noise(steel, 4, window, 180, 2.2)
    texture += steel.streaks * _noise(steel, 5, window, 60, 9)
    texture += steel.mottle * _noise(steel, 13, window, 24, 20)
    texture += steel.mottle * _noise(steel, 14, window, 6, 4)
    fine = _noise(steel, 6, window, 2.2, 1.6)
    texture += steel.grain * rough * fine
    texture -= steel.dirt * np.clip(-fine - 2.2, 0, 1)
    if steel.ripple:
        texture += steel.ripple * rough * _ripple(steel, window)
    if steel.flow:
        texture += steel.flow * _flow(steel, window)
    if steel.sparkle:
        where = np.clip(0.3 - _noise(steel, 8, window, 1500, 100), 0, 2)
        texture += steel.sparkle * where * np.clip(fine - 1.9, 0, None)
    return np.asarray(texture, np.float32)


def _ripple(steel: Steel, window: Window) -> Field:
    warp = _noise(steel, 7, window, 25, 60)
    along = np.mod(window.rows / steel.ripple_pitch, 1).astype(np.float32)
    across = steel.ripple_slope / steel.ripple_pitch * window.columns
    return np.asarray(np.sin(2 * np.pi * (along + across) + 1.6 * warp), np.float32)


def _flow(steel: Steel, window: Window) -> Field:
    bend = _noise(steel, 15, window, 500, 300)
    waves = np.sin(0.012 * window.columns + 5 * bend)
    return np.asarray(waves * np.clip(_noise(steel, 16, window, 900, 350), 0, 2), np.float32)


def _scale(steel: Steel, window: Window, band: Field) -> Field:
    if not steel.scale:
        return np.ones_like(band)
    field = _noise(steel, 9, window, steel.scale_length, steel.scale_width)
    field += 0.5 * _noise(steel, 10, window, steel.scale_length / 4, steel.scale_width / 3)
    field += 0.25 * _noise(steel, 17, window, 5, 2.5)
    field += 0.9 * _noise(steel, 11, window, 900, 160)
    covered = np.clip((field - steel.scale_cover) * 2.5, 0, 1)
    return np.asarray(1 + steel.scale * covered, np.float32)


def _checker_plate(window: Window) -> Field:
    """Raised bars in two slanted families, lit from the left."""
    pitch, half_width = 100.0, 9.0
    gain = np.ones((window.height, window.width), np.float32)
    for slope in (-0.42, 0.42):
        shift = np.mod(slope * window.rows, pitch).astype(np.float32)
        across = np.mod(window.columns + shift, pitch) - pitch / 2
        bar = np.clip(1 - np.abs(across) / half_width, 0, 1)
        gain += 1.3 * bar * (np.sign(across) * np.sqrt(np.abs(across) / half_width))
    return np.clip(gain, 0.25, 1.7)


def _edges(steel: Steel, window: Window) -> tuple[Field, OnSteel]:
    """Light falls to nothing beside the strip; a shoulder on the strip is lit differently."""
    wander = 3 * _noise(steel, 12, window, 300, window.width)[:, :1]
    inside = np.minimum(
        window.columns - (steel.left_edge + wander), (steel.right_edge + wander) - window.columns
    )
    if inside.min() > EDGE_REACH:
        return np.ones_like(inside), np.ones_like(inside, np.bool_)
    ragged = inside + 4 * _noise(steel, 18, window, 30, 30)
    shoulder = np.clip(0.5 + (steel.shoulder - ragged) / 12, 0, 1)
    light = np.clip(inside / 6, 0, 1) * (1 + steel.edge_contrast * shoulder)
    return light.astype(np.float32), inside > DIM_COLUMNS
