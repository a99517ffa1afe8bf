"""The two ways from a frame to its defects, with a network in the middle.

Both end with what a defect is reported by: bounding box, class, score and mask. supervision wants a
callback that gives the detections of one slice; ours makes them by the project's own
`find_regions`, so that neither way is held up by the other's choice of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import supervision as sv
from numpy.typing import NDArray

from benchmarks.tiling.bright import CLASSES, STRIDE_PX, BrightNetwork, BrightSegmenter
from edge_daemon.core.defects import Region, find_regions
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.tiling import (
    STRIP_HEIGHT_PX,
    STRIP_WIDTH_PX,
    Probabilities,
    cut,
    pad,
    plan_tiling,
    stitch,
)
from edge_daemon.inference.batching import segment_frames

Find: TypeAlias = Callable[[GreyImage], int]
"""Finds a frame's defects and says how many were reported."""
OVERLAP_PX: Final = 100
"""supervision's default."""
SLIGHT_OVERLAP: Final = 0.05
"""Of the smaller one. Two parts of a long defect share no more than 100 of 1600 columns."""


@dataclass(frozen=True, slots=True)
class Way:
    """A contestant.

    Attributes:
        name: for the tables.
        find: does a frame.
        network: that it calls.
    """

    name: str
    find: Find
    network: BrightNetwork


def our_way() -> Way:
    """As the daemon: cut, look at the strips; unless all are clean stitch and find regions."""
    network = BrightNetwork()
    segmenter = BrightSegmenter(network)

    def find(image: GreyImage) -> int:
        tiling = plan_tiling(*image.shape, stride_px=STRIDE_PX)
        (answer,) = segment_frames(segmenter, [cut(image, tiling)])
        return 0 if answer is None else len(_regions(stitch(answer, tiling), image.shape))

    return Way("cut + stitch", find, network)


def slicer_ways() -> tuple[Way, ...]:
    """InferenceSlicer edge to edge and with its default overlap, by each way of merging."""
    suppress, merge = sv.OverlapFilter.NON_MAX_SUPPRESSION, sv.OverlapFilter.NON_MAX_MERGE
    return (
        _slicer("slices edge to edge, NMS", overlap_px=0, overlap_filter=suppress),
        _slicer("overlap 100 px, NMS (defaults)", overlap_px=OVERLAP_PX, overlap_filter=suppress),
        _slicer("overlap 100 px, merged", overlap_px=OVERLAP_PX, overlap_filter=merge),
        _slicer(
            "overlap 100 px, merged if they share 5 %",
            overlap_px=OVERLAP_PX,
            overlap_filter=merge,
            overlap_metric=sv.OverlapMetric.IOS,
            least_overlap=SLIGHT_OVERLAP,
        ),
        _slicer(
            "overlap 100 px, boxes only",
            overlap_px=OVERLAP_PX,
            overlap_filter=suppress,
            masks=False,
        ),
    )


def _slicer(
    name: str,
    *,
    overlap_px: int,
    overlap_filter: sv.OverlapFilter,
    overlap_metric: sv.OverlapMetric = sv.OverlapMetric.IOU,
    least_overlap: float = 0.5,
    masks: bool = True,
) -> Way:
    network = BrightNetwork()

    def detect(piece: GreyImage) -> sv.Detections:
        tiling = plan_tiling(*piece.shape, stride_px=STRIDE_PX)
        strips = np.ascontiguousarray(pad(piece, tiling))[None, None]
        h, w = -(-piece.shape[0] // STRIDE_PX), -(-piece.shape[1] // STRIDE_PX)
        regions = _regions(network(strips)[0][:, :h, :w], piece.shape)
        return _detections(regions, piece.shape, masks=masks)

    slicer = sv.InferenceSlicer(
        detect,
        slice_wh=(STRIP_WIDTH_PX, STRIP_HEIGHT_PX),
        overlap_wh=(overlap_px, overlap_px),
        overlap_filter=overlap_filter,
        overlap_metric=overlap_metric,
        iou_threshold=least_overlap,
        compact_masks=masks,  # quicker and smaller than its dense ones
    )
    return Way(f"supervision, {name}", lambda image: len(slicer(image)), network)


def _regions(probabilities: Probabilities, shape: tuple[int, ...]) -> list[Region]:
    height_px, width_px = shape
    return find_regions(
        probabilities, CLASSES, height_px=height_px, width_px=width_px, stride_px=STRIDE_PX
    )


def _detections(regions: list[Region], shape: tuple[int, ...], *, masks: bool) -> sv.Detections:
    if not regions:
        return sv.Detections.empty()
    boxes = np.array([one.bbox_xywh for one in regions], np.float32)
    boxes[:, 2:] += boxes[:, :2]
    return sv.Detections(
        xyxy=boxes,
        mask=_masks(regions, shape) if masks else None,
        confidence=np.array([one.score for one in regions], np.float32),
        class_id=np.array([one.defect_class.id for one in regions]),
    )


def _masks(regions: list[Region], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    dense = np.zeros((len(regions), *shape), np.bool_)
    for mask, region in zip(dense, regions, strict=True):
        x, y, w, h = region.bbox_xywh
        mask[y : y + h, x : x + w] = region.pixels
    return dense
