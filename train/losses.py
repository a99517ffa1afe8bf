"""What a network is trained to make small."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def area_targets(classes: Tensor, *, count: int, stride: int) -> Tensor:
    """Part of each cell (N, K, H / stride, W / stride) that is class 1..K of a map (N, H, W)."""
    one_hot = torch.stack([(classes == k).float() for k in range(1, count + 1)], dim=1)
    return functional.avg_pool2d(one_hot, stride)


def segmentation_loss(
    logits: Tensor, targets: Tensor, *, positive_weights: Sequence[float], dice_weight: float
) -> Tensor:
    """Cross-entropy of each class, with weighted positives, plus Dice over the whole batch.

    Args:
        logits: (N, K, h, w) raw scores; brought to the targets' size bilinearly, as the daemon
            does with probabilities.
        targets: (N, K, H, W) in 0..1.
        positive_weights: K weights of a defect pixel.
        dice_weight: of the Dice part (Milletari et al., V-Net, 2016); taken over the batch, it has
            a gradient even where most crops are empty, and classes absent from the batch are
            left out.
    """
    scores = functional.interpolate(
        logits, size=targets.shape[-2:], mode="bilinear", align_corners=False
    )
    weights = scores.new_tensor(positive_weights).view(1, -1, 1, 1)
    entropy = functional.binary_cross_entropy_with_logits(scores, targets, pos_weight=weights)
    probability = torch.sigmoid(scores)
    axes = (0, 2, 3)
    common = 2 * (probability * targets).sum(axes)
    either = (probability + targets).sum(axes)
    is_present = (targets.sum(axes) > 0).float()
    dice_gap = (1 - (common + 1) / (either + 1)) * is_present
    return entropy + dice_weight * dice_gap.sum() / is_present.sum().clamp(min=1)
