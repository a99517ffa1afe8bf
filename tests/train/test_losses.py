"""The loss falls towards the truth and minds what it is told to mind."""

import torch

from train.losses import area_targets, segmentation_loss

WEIGHTS = (1.0, 1.0, 1.0, 1.0)


def test_targets_are_the_part_of_a_cell_that_belongs_to_a_class() -> None:
    classes = torch.zeros((1, 4, 4), dtype=torch.uint8)
    classes[0, 0, 0] = 2
    classes[0, 2:, 2:] = 4
    targets = area_targets(classes, count=4, stride=2)
    assert targets.shape == (1, 4, 2, 2)
    assert targets[0, 1, 0, 0] == 0.25
    assert targets[0, 3, 1, 1] == 1
    assert targets.sum() == 1.25


def loss_of(logits: torch.Tensor, targets: torch.Tensor, **changes: object) -> float:
    options: dict[str, object] = {"positive_weights": WEIGHTS, "dice_weight": 0.5, **changes}
    return float(segmentation_loss(logits, targets, **options))  # type: ignore[arg-type]  # mixed


def test_the_truth_costs_least() -> None:
    targets = torch.zeros((1, 4, 16, 16))
    targets[:, 1, :, 8:] = 1
    right = (targets * 2 - 1)[..., ::2, ::2] * 8
    assert loss_of(right, targets) < loss_of(right * 0, targets) < loss_of(-right, targets)


def test_missing_a_defect_costs_more_where_its_class_weighs_more() -> None:
    targets = torch.zeros((1, 4, 8, 8))
    targets[:, 0, :4] = 1
    logits = torch.full((1, 4, 4, 4), -3.0)
    heavy = loss_of(logits, targets, positive_weights=(3.0, 1.0, 1.0, 1.0))
    assert heavy > loss_of(logits, targets)


def test_dice_leaves_absent_classes_out() -> None:
    targets = torch.zeros((1, 4, 8, 8))
    logits = torch.zeros((1, 4, 4, 4))
    assert loss_of(logits, targets) == loss_of(logits, targets, dice_weight=0.0)
