"""What a network is trained to make small.

Scores are (N, C, h, w) and already on the targets' grid: C = K with sigmoid output, K + 1 with
softmax (background first). Each loss is a ratio of sums over crops. `total` adds those sums up
over all processes of a run, so that a loss is the same however the crops are spread over them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from models.network import Scores
from train.config import LossConfig
from train.fitting.distillation import distillation_loss
from train.fitting.lovasz import lovasz_hinge, lovasz_softmax
from train.fitting.targets import (
    area_targets,
    hard_targets,
    presence_targets,
    target_stride,
    with_background,
)

Output: TypeAlias = Literal["sigmoid", "softmax"]
Total: TypeAlias = Callable[[Tensor], Tensor]
"""The sum of a tensor over all processes; its gradient is the sum's."""


def alone(part: Tensor) -> Tensor:
    """The total in a run of one process."""
    return part


def mean_of(values: Tensor, total: Total = alone) -> Tensor:
    """Mean over the values of all processes; in double precision, as counts pass 2^24."""
    count = values.new_tensor(values.numel(), dtype=torch.float64)
    both = total(torch.stack((values.sum(dtype=torch.float64), count)))
    return (both[0] / both[1]).float()


def probabilities(scores: Tensor, output: Output) -> Tensor:
    """(N, K, h, w) in 0..1, without background."""
    if output == "softmax":
        return torch.softmax(scores, dim=1)[:, 1:]
    return torch.sigmoid(scores)


def cross_entropy_values(
    scores: Tensor, areas: Tensor, *, output: Output, positive_weights: Sequence[float] = ()
) -> Tensor:
    """Cross-entropy of each cell: (N, K, h, w) with sigmoid, (N, h, w) with softmax output.

    Targets may lie between 0 and 1: each side of a cell's truth counts with its part of the area.

    Args:
        scores: raw.
        areas: (N, K, h, w) targets in 0..1.
        output: softmax lets classes compete.
        positive_weights: K weights of a defect cell against a background cell; empty: all 1.
    """
    weights = _positive_weights(positive_weights, areas)
    if output == "softmax":
        costs = torch.cat((torch.ones_like(weights[:, :1]), weights), dim=1)
        return -(costs * with_background(areas) * torch.log_softmax(scores, dim=1)).sum(dim=1)
    return functional.binary_cross_entropy_with_logits(
        scores, areas, pos_weight=weights, reduction="none"
    )


def focal_values(
    scores: Tensor,
    areas: Tensor,
    *,
    output: Output,
    gamma: float,
    positive_weights: Sequence[float] = (),
) -> Tensor:
    """Cross-entropy times (what is still wrong) ** gamma (Lin et al., Focal Loss, 2017, eq. 4).

    Shapes and arguments are those of `cross_entropy_values`.
    """
    weights = _positive_weights(positive_weights, areas)
    if output == "softmax":
        logs = torch.log_softmax(scores, dim=1)
        costs = torch.cat((torch.ones_like(weights[:, :1]), weights), dim=1)
        return -(costs * with_background(areas) * _power(1 - logs.exp(), gamma) * logs).sum(dim=1)
    log_yes, log_no = functional.logsigmoid(scores), functional.logsigmoid(-scores)
    yes = weights * areas * _power(log_no.exp(), gamma) * log_yes
    no = (1 - areas) * _power(log_yes.exp(), gamma) * log_no
    return -(yes + no)


def _positive_weights(positive_weights: Sequence[float], areas: Tensor) -> Tensor:
    return areas.new_tensor(positive_weights or (1.0,) * areas.shape[1]).view(1, -1, 1, 1)


def _power(wrong: Tensor, gamma: float) -> Tensor:
    """`wrong ** gamma` whose gradient stays finite at 0, where gamma < 1 has none."""
    return wrong.clamp(min=torch.finfo(wrong.dtype).tiny) ** gamma


def dice_loss(probability: Tensor, areas: Tensor, *, total: Total = alone) -> Tensor:
    """1 - Dice, each class over the whole batch (Milletari et al., V-Net, 2016).

    Taken over the batch it has a gradient even where most crops are empty; classes that are absent
    from the batch are left out.

    Args:
        probability: (N, K, h, w).
        areas: of the same shape.
        total: sums over processes.
    """
    axes = (0, 2, 3)
    sums = torch.stack(
        [one.sum(axes, dtype=torch.float64) for one in (probability * areas, probability, areas)]
    )
    common, predicted, true = total(sums)
    is_present = (true > 0).double()
    gap = (1 - (2 * common + 1) / (predicted + true + 1)) * is_present
    loss: Tensor = gap.sum() / is_present.sum().clamp(min=1)
    return loss.float()


def lovasz_loss(
    scores: Tensor, areas: Tensor, *, output: Output, empty_weight: float, total: Total = alone
) -> Tensor:
    """Mean Lovasz loss over (crop, class) pairs; those without a defect weigh `empty_weight`."""
    truth = hard_targets(areas)
    if output == "softmax":
        losses = lovasz_softmax(probabilities(scores, output), truth)
    else:
        losses = lovasz_hinge(scores, truth)
    weights = torch.where(truth.sum(dim=(2, 3)) > 0, 1.0, empty_weight).double()
    both = total(torch.stack(((losses * weights).sum(), weights.sum())))
    return (both[0] / both[1].clamp(min=1e-9)).float()


@dataclass(frozen=True, slots=True)
class Losses:
    """A loss and what it is made of.

    Attributes:
        total: weighted sum; what gradients come from.
        parts: name -> unweighted loss, of those whose weight isn't 0.
    """

    total: Tensor
    parts: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Objective:
    """The weighted sum of losses that a run's configuration asks for.

    Attributes:
        config: weights.
        output: of the network.
        classes: K.
        output_stride: strip pixels per cell of the network's output.
    """

    config: LossConfig
    output: Output
    classes: int
    output_stride: int

    def __call__(
        self,
        scores: Scores,
        classes: Tensor,
        *,
        padded: tuple[int, int],
        teacher: Tensor | None = None,
        total: Total = alone,
    ) -> Losses:
        """Losses of a batch.

        Args:
            scores: of strips that were padded to the right and downwards.
            classes: (N, H, W) truth, not padded.
            padded: height and width of the strips as the network saw them.
            teacher: (N, C, h', w') raw scores of another network on the same padded strips, in the
                same form; needed where distillation has a weight.
            total: sums over processes.
        """
        height, width = classes.shape[-2:]
        stride = target_stride(self.output_stride, height=height, width=width)
        size = (height // stride, width // stride)
        pixel = on_grid(scores.pixel, padded=padded, stride=stride, size=size)
        areas = area_targets(classes, count=self.classes, stride=stride)
        parts = self._pixel_losses(pixel, areas, total=total)
        if self.config.image and scores.image is not None:
            present = presence_targets(classes, count=self.classes)
            entropy = functional.binary_cross_entropy_with_logits(
                scores.image, present, reduction="none"
            )
            parts["image"] = mean_of(entropy, total)
        if self.config.distillation and teacher is not None:
            answer = on_grid(teacher, padded=padded, stride=stride, size=size)
            values = distillation_loss(
                pixel, answer, output=self.output, temperature=self.config.temperature
            )
            parts["distillation"] = mean_of(values, total)
        weighted = [float(getattr(self.config, name)) * part for name, part in parts.items()]
        return Losses(torch.stack(weighted).sum(), parts)

    def _pixel_losses(self, pixel: Tensor, areas: Tensor, *, total: Total) -> dict[str, Tensor]:
        config, output = self.config, self.output
        weights = config.positive_weights
        parts: dict[str, Tensor] = {}
        if config.cross_entropy:
            values = cross_entropy_values(pixel, areas, output=output, positive_weights=weights)
            parts["cross_entropy"] = mean_of(values, total)
        if config.focal:
            values = focal_values(
                pixel,
                areas,
                output=output,
                gamma=config.focal_gamma,
                positive_weights=weights,
            )
            parts["focal"] = mean_of(values, total)
        if config.dice:
            parts["dice"] = dice_loss(probabilities(pixel, output), areas, total=total)
        if config.lovasz:
            parts["lovasz"] = lovasz_loss(
                pixel, areas, output=output, empty_weight=config.lovasz_empty_weight, total=total
            )
        return parts


def on_grid(
    scores: Tensor, *, padded: tuple[int, int], stride: int, size: tuple[int, int]
) -> Tensor:
    """Bring raw scores to cells of `stride` pixels, bilinearly, and cut the padding off.

    The daemon does the same with probabilities.

    Args:
        scores: (N, C, h, w) of strips of `padded` height and width.
        padded: in pixels.
        stride: pixels per cell of the result.
        size: height and width of the result, in cells.
    """
    cells = (padded[0] // stride, padded[1] // stride)
    if scores.shape[-2:] != cells:
        scores = functional.interpolate(scores, size=cells, mode="bilinear", align_corners=False)
    return scores[..., : size[0], : size[1]]
