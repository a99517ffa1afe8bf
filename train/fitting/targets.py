"""What the loss compares a network's scores with, made of a class map.

The loss works at half resolution, as labels aren't exact to a pixel; cells on an outline then get
the part of them that is defect.
"""

import torch
from torch import Tensor
from torch.nn import functional

TARGET_STRIDE = 2
SMALL_PX = 256
"""Images that are smaller along an axis keep their full resolution, where the network gives it."""
PRESENT_PX = 16
"""A class is on a crop when more of it than this is there; less can be a label's ragged edge."""


def target_stride(output_stride: int, *, height: int, width: int) -> int:
    """Strip pixels per target cell, along each axis, for crops of height x width pixels."""
    is_odd = height % TARGET_STRIDE or width % TARGET_STRIDE
    is_small_and_fine = output_stride < TARGET_STRIDE and min(height, width) < SMALL_PX
    return 1 if is_odd or is_small_and_fine else TARGET_STRIDE


def area_targets(classes: Tensor, *, count: int, stride: int) -> Tensor:
    """Part of each cell (N, K, H / stride, W / stride) that is class 1..K of a map (N, H, W)."""
    one_hot = torch.stack([(classes == k).float() for k in range(1, count + 1)], dim=1)
    return one_hot if stride == 1 else functional.avg_pool2d(one_hot, stride)


def with_background(areas: Tensor) -> Tensor:
    """Areas (N, K + 1, h, w) that sum to 1: background first, then those given (N, K, h, w)."""
    return torch.cat((1 - areas.sum(dim=1, keepdim=True), areas), dim=1)


def hard_targets(areas: Tensor) -> Tensor:
    """Areas (N, K, h, w) rounded to 0 or 1: the largest class of a cell that is half defect.

    Half counts as defect, so that a scratch one pixel wide is still there.
    """
    largest = functional.one_hot(areas.argmax(dim=1), areas.shape[1]).movedim(-1, 1)
    is_defect = areas.sum(dim=1, keepdim=True) >= 0.5  # noqa: PLR2004 - half
    return largest.to(areas.dtype) * is_defect


def presence_targets(classes: Tensor, *, count: int) -> Tensor:
    """1 where class 1..K is on a crop, else 0: (N, K), of a map (N, H, W)."""
    areas = torch.stack([(classes == k).sum(dim=(1, 2)) for k in range(1, count + 1)], dim=1)
    return (areas > PRESENT_PX).float()
