"""Pictures of what was found: a strip with its defects marked, and a sheet of such strips."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.records import ClassMask, FrameDefect
from edge_daemon.report.colours import class_colour

ColourImage: TypeAlias = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR as OpenCV writes it."""

MAX_SIDE_PX = 2048
_TINT = 0.25
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_SCALE = 0.5
_PADDING_PX = 4
_LINE_PX = 2
_BLACK, _WHITE = (0, 0, 0), (235, 235, 235)
_SHEET_BACKGROUND = (28, 24, 22)
_SHEET_MARGIN_PX, _CAPTION_PX = 16, 26

XYWH: TypeAlias = tuple[int, int, int, int]


def shrink(image: GreyImage, max_side_px: int = MAX_SIDE_PX) -> GreyImage:
    """Make an image (H, W) small enough for a page; one that is, stays as it is."""
    factor = max_side_px / max(image.shape)
    if factor >= 1:
        return image
    height, width = (max(1, round(side * factor)) for side in image.shape)
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def draw_overlay(
    image: GreyImage,
    mask: ClassMask | None,
    defects: Sequence[FrameDefect],
    *,
    max_side_px: int = MAX_SIDE_PX,
) -> ColourImage:
    """Mark defects on a frame: outlines in the colour of their class, a box and a number for each.

    The numbers count `defects` from 1.

    Args:
        image: (H, W) grey.
        mask: (H, W) class ids, None where only the boxes are known.
        defects: what the boxes are drawn for.
        max_side_px: the picture is made no larger.

    Raises:
        ValueError: the mask has another size than the image.
    """
    if mask is not None and mask.shape != image.shape:
        raise ValueError(f"the mask is {mask.shape}, its image {image.shape}")
    small = shrink(image, max_side_px)
    factor = small.shape[1] / image.shape[1]
    picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2BGR), np.uint8)
    if mask is not None:
        _paint_mask(picture, mask)
    boxes = [_padded(defect.bbox_xywh, factor, picture) for defect in defects]
    for defect, (x, y, w, h) in zip(defects, boxes, strict=True):
        colour = class_colour(defect.class_id)[::-1]
        cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), colour, 1, cv2.LINE_8)
    taken: list[XYWH] = []
    for number, (defect, box) in enumerate(zip(defects, boxes, strict=True), 1):
        taken.append(_write_tag(picture, f"{number} {defect.class_name}", box, defect, taken=taken))
    return picture


def _paint_mask(picture: ColourImage, mask: ClassMask) -> None:
    height, width = picture.shape[:2]
    if mask.shape != (height, width):
        resized = cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)
        mask = np.asarray(resized, np.uint8)
    for class_id in np.unique(mask[mask > 0]).tolist():
        colour = class_colour(class_id)[::-1]
        where = mask == class_id
        tinted = picture[where] * (1 - _TINT) + np.asarray(colour) * _TINT
        picture[where] = tinted.astype(np.uint8)
        outlines, _ = cv2.findContours(
            where.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        cv2.drawContours(picture, outlines, -1, colour, 1, cv2.LINE_8)


def _padded(bbox_xywh: XYWH, factor: float, picture: ColourImage) -> XYWH:
    """A defect's box on the picture, with a margin so that it hides nothing of the defect."""
    height, width = picture.shape[:2]
    x, y, w, h = (side * factor for side in bbox_xywh)
    left, top = max(0, int(x) - _PADDING_PX), max(0, int(y) - _PADDING_PX)
    right = min(width, int(np.ceil(x + w)) + _PADDING_PX)
    bottom = min(height, int(np.ceil(y + h)) + _PADDING_PX)
    return left, top, right - left, bottom - top


def _write_tag(
    picture: ColourImage,
    text: str,
    box: XYWH,
    defect: FrameDefect,
    *,
    taken: Sequence[XYWH],
) -> XYWH:
    """Write a tag beside its box where no other tag is, if there is such a place."""
    text = text.encode("ascii", "replace").decode()
    (text_width, text_height), _ = cv2.getTextSize(text, _FONT, _FONT_SCALE, 1)
    size = text_width + 2 * _PADDING_PX, text_height + 2 * _PADDING_PX
    places = _places(box, size, picture.shape[1], picture.shape[0])
    place = next((p for p in places if not any(_touch(p, other) for other in taken)), places[0])
    x, y, w, h = place
    colour = class_colour(defect.class_id)[::-1]
    cv2.rectangle(picture, (x, y), (x + w - 1, y + h - 1), colour, cv2.FILLED)
    at = (x + _PADDING_PX, y + h - _PADDING_PX - 1)
    cv2.putText(picture, text, at, _FONT, _FONT_SCALE, _BLACK, 1, cv2.LINE_AA)
    return place


def _places(box: XYWH, size: tuple[int, int], width: int, height: int) -> list[XYWH]:
    """Where a tag may stand: above, below, to the right, to the left; pushed into the picture."""
    x, y, w, h = box
    tag_width, tag_height = size
    corners = (
        (x, y - tag_height),
        (x, y + h),
        (x + w, y),
        (x - tag_width, y),
        (x + w - tag_width, y - tag_height),
        (x + w - tag_width, y + h),
        (x, y),
    )
    inside = [c for c in corners if 0 <= c[1] <= height - tag_height]
    return [
        (min(max(0, left), max(0, width - tag_width)), top, tag_width, tag_height)
        for left, top in inside or [(x, max(0, height - tag_height))]
    ]


def _touch(a: XYWH, b: XYWH) -> bool:
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


@dataclass(frozen=True, slots=True, eq=False)
class SheetItem:
    """A picture on a contact sheet.

    Attributes:
        caption: stands above it; what isn't ASCII becomes ``?``.
        picture: (H, W, 3) BGR.
    """

    caption: str
    picture: ColourImage


def contact_sheet(
    items: Sequence[SheetItem], *, columns: int = 2, column_width_px: int = 800
) -> ColourImage:
    """Lay pictures out in rows, with captions, in the order given.

    Raises:
        ValueError: there are no items.
    """
    if not items:
        raise ValueError("a contact sheet needs at least one picture")
    cells = [_cell(item, column_width_px) for item in items]
    rows = [cells[start : start + columns] for start in range(0, len(cells), columns)]
    margin = _SHEET_MARGIN_PX
    width = min(columns, len(cells)) * (column_width_px + margin) + margin
    height = sum(max(len(cell) for cell in row) + margin for row in rows) + margin
    sheet = np.full((height, width, 3), _SHEET_BACKGROUND, np.uint8)
    top = margin
    for row in rows:
        for column, cell in enumerate(row):
            left = margin + column * (column_width_px + margin)
            sheet[top : top + len(cell), left : left + column_width_px] = cell
        top += max(len(cell) for cell in row) + margin
    return sheet


def _cell(item: SheetItem, width: int) -> ColourImage:
    height = max(1, round(item.picture.shape[0] * width / item.picture.shape[1]))
    picture = cv2.resize(item.picture, (width, height), interpolation=cv2.INTER_AREA)
    cell = np.full((height + _CAPTION_PX, width, 3), _SHEET_BACKGROUND, np.uint8)
    cell[_CAPTION_PX:] = picture
    caption = item.caption.encode("ascii", "replace").decode()
    at = (0, _CAPTION_PX - 9)
    cv2.putText(cell, caption, at, _FONT, _FONT_SCALE, _WHITE, 1, cv2.LINE_AA)
    return cell
