"""Independent synthetic strips with exact masks, to train on beside real ones."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.simulation.marks import (
    INCLUSION,
    ClassMask,
    GreyLevels,
    Mark,
    OnSteel,
    apply_mark,
)
from edge_daemon.simulation.recipes import RECIPES, draw_kinds
from edge_daemon.simulation.steel import draw_steel, expose, render_steel
from edge_daemon.simulation.value_noise import Window

StripImage = NDArray[np.uint8]  # (H, W), grey

SHARE_CLEAN = 0.4
SHARE_WITH_FALSE_FRIENDS = 0.5
SHARE_NEAR_EDGE = 0.7  # of the inclusions, where an edge is in view
MAX_FALSE_FRIENDS = 3
MAX_GROUPS = 4
GROUP_SPREAD = 160  # columns and rows within which a group of one kind lies
NEAR_EDGE = 180  # columns from the strip's edge where inclusions gather
TRIES = 8

# rare classes come more often than on real strips, for they are what training lacks
DEFECT_SHARES = {
    "pit": 0.25,
    "pit_row": 0.04,
    "inclusion": 0.13,
    "scratch": 0.25,
    "gouge": 0.06,
    "flakes": 0.07,
    "patch": 0.20,
}
MOST_IN_A_GROUP = {
    "pit": 7,
    "pit_row": 1,
    "inclusion": 2,
    "scratch": 4,
    "gouge": 2,
    "flakes": 2,
    "patch": 2,
}
FALSE_FRIEND_SHARES = {
    "paint": 0.2,
    "chalk": 0.2,
    "water_stain": 0.2,
    "splash": 0.2,
    "oil_drop": 0.2,
}


def draw_strip(
    rng: np.random.Generator, *, height: int = 256, width: int = 1600
) -> tuple[StripImage, ClassMask]:
    """Draws one random strip, independent of any other.

    About 40 % have no defect; half of all, clean or not, carry things that look like a defect and
    are not labelled. The picture went through JPEG, as archived strips do.

    Args:
        rng: source of all randomness.
        height: rows, along the rolling direction; at least 64.
        width: columns, across the strip; at least 256.

    Returns:
        Image (H, W) and class mask (H, W) of 0..4.
    """
    window = Window(0, height, width)
    steel = draw_steel(rng, width=width)
    levels, on_steel = render_steel(steel, window)
    mask = np.zeros((height, width), np.uint8)
    for group in _draw_groups(rng):
        _place(group, rng, levels, mask=mask, on_steel=on_steel)
    return _archive(expose(steel, window, levels), quality=int(rng.integers(85, 98))), mask


def _draw_groups(rng: np.random.Generator) -> list[list[Mark]]:
    """What is on one strip: false friends one by one, then defects in groups of a kind."""
    groups = []
    if rng.random() < SHARE_WITH_FALSE_FRIENDS:
        count = int(rng.integers(1, MAX_FALSE_FRIENDS + 1))
        groups += [[_draw(rng, kind)] for kind in draw_kinds(rng, FALSE_FRIEND_SHARES, count)]
    if rng.random() >= SHARE_CLEAN:
        count = int(rng.integers(1, MAX_GROUPS + 1))
        for kind in draw_kinds(rng, DEFECT_SHARES, count):
            size = int(rng.integers(1, MOST_IN_A_GROUP[kind] + 1))
            groups.append([_draw(rng, kind) for _ in range(size)])
    return groups


def _draw(rng: np.random.Generator, kind: str) -> Mark:
    height, width = RECIPES[kind].draw_size(rng)
    return RECIPES[kind].draw(rng, height, width)


def _place(
    marks: list[Mark],
    rng: np.random.Generator,
    levels: GreyLevels,
    *,
    mask: ClassMask,
    on_steel: OnSteel,
) -> None:
    """Lays a group down around one point; what would hide an earlier defect is left out."""
    columns = np.flatnonzero(on_steel.all(axis=0))
    if not columns.size:
        return
    first, last = int(columns[0]), int(columns[-1])
    height, width = levels.shape
    centre = rng.uniform(first, last)
    has_edge = first > 0 or last < width - 1
    if marks[0].class_id == INCLUSION and has_edge and rng.random() < SHARE_NEAR_EDGE:
        inwards = rng.uniform(10, NEAR_EDGE)
        centre = first + inwards if first > 0 else last - inwards
    spread = 0 if len(marks) == 1 else GROUP_SPREAD
    for mark in marks:
        h, w = mark.gain.shape
        for _ in range(TRIES):
            left = int(np.clip(centre + spread * rng.normal() - w / 2, first, max(first, last - w)))
            top = int(rng.integers(min(0, height - h) - h // 3, max(0, height - h) + h // 3 + 1))
            if not mask[max(top, 0) : max(top + h, 0), left : left + w].any():
                apply_mark(levels, mask, mark, top=top, left=left, on_steel=on_steel)
                break


def _archive(image: StripImage, *, quality: int) -> StripImage:
    _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)
