"""A mark on the steel: how it changes the light, and which pixels a person would label."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

GreyLevels = NDArray[np.float32]  # (H, W), 0..255 and above where the light saturates
ClassMask = NDArray[np.uint8]  # (H, W), 0 sound, 1..4 defect class
Gain = NDArray[np.float32]  # (h, w), 1 leaves the steel as it is
Support = NDArray[np.bool_]  # (h, w), the pixels that belong to the thing

OnSteel = NDArray[np.bool_]  # (H, W), False beside the strip

SOUND, PITTING, INCLUSION, SCRATCH, PATCH = range(5)

HALF = 0.5
DARKEST, BRIGHTEST = 0.12, 6.0


@dataclass(frozen=True, slots=True)
class Mark:
    """Something on the steel, drawn alone.

    Attributes:
        kind: name of the thing, such as `scratch` or `paint`.
        class_id: 1 pitting, 2 inclusion, 3 scratch, 4 patch; 0 where it is no defect.
        gain: (h, w) factor onto the grey levels.
        label: (h, w) what counts as the defect; empty where it is none.
    """

    kind: str
    class_id: int
    gain: Gain
    label: Support


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where a mark came to lie in a picture.

    Attributes:
        top: first row in the picture.
        left: first column in the picture.
        labelled: (h, w) pixels that were given its class.
    """

    top: int
    left: int
    labelled: Support


def make_defect(
    kind: str, class_id: int, *, gain: NDArray[np.floating], body: NDArray[np.floating], margin: int
) -> Mark:
    """A labelled mark.

    Args:
        kind: name of the thing.
        class_id: 1..4.
        gain: (h, w) factor onto the grey levels, limited to what steel can do.
        body: (h, w) how much of the thing is there, 0..1; half and more counts as defect.
        margin: pixels that the label reaches beyond the body; leave so much border around it.
    """
    limited = np.clip(gain, DARKEST, BRIGHTEST).astype(np.float32)
    return Mark(kind, class_id, limited, coarse_label(body > HALF, margin=margin))


def make_false_friend(kind: str, gain: NDArray[np.floating]) -> Mark:
    """A mark that is no defect."""
    limited = np.clip(gain, DARKEST, BRIGHTEST).astype(np.float32)
    return Mark(kind, SOUND, limited, np.zeros(gain.shape, np.bool_))


def coarse_label(support: Support, *, margin: int) -> Support:
    """The polygon that a person would draw: one piece, grown by `margin` pixels, corners cut.

    Only the largest piece is kept, once pieces closer than two margins have grown together.
    """
    size = 2 * margin + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    grown = cv2.dilate(support.astype(np.uint8), kernel)
    contours, _ = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    label = np.zeros(support.shape, np.uint8)
    if contours:
        largest = max(contours, key=cv2.contourArea)
        cv2.fillPoly(label, [cv2.approxPolyDP(largest, 0.6 * margin, closed=True)], 1)
    return label.astype(np.bool_)


def apply_mark(
    levels: GreyLevels, mask: ClassMask, mark: Mark, *, top: int, left: int, on_steel: OnSteel
) -> Footprint | None:
    """Lays a mark onto grey levels and mask, both (H, W) and changed in place.

    What lies outside is cut off. A pixel that already has a class keeps it, and there is no
    defect beside the strip.

    Args:
        levels: grey levels.
        mask: class of each pixel.
        mark: what to lay down.
        top: row of its first row; may be negative.
        left: column of its first column; may be negative.
        on_steel: (H, W) where there is steel.

    Returns:
        The pixels that were labelled now; None where the mark lies outside altogether.
    """
    height, width = levels.shape
    h, w = mark.gain.shape
    rows = slice(max(top, 0), min(top + h, height))
    columns = slice(max(left, 0), min(left + w, width))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return None
    cut = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    levels[rows, columns] *= mark.gain[cut]
    labelled = mark.label[cut] & (mask[rows, columns] == SOUND) & on_steel[rows, columns]
    mask[rows, columns][labelled] = mark.class_id
    return Footprint(rows.start, columns.start, labelled)
