"""Each loss falls towards the truth and minds what it is told to mind."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.network import Scores
from train.config import LossConfig
from train.fitting.losses import (
    Objective,
    Output,
    cross_entropy_values,
    dice_loss,
    focal_values,
    lovasz_loss,
    mean_of,
    on_grid,
)

SIZE = (16, 16)
ONLY: dict[str, float] = {"cross_entropy": 0, "dice": 0, "image": 0}


def truth() -> Tensor:
    """Class 2 on the right half of the first crop; nothing on the second."""
    classes = torch.zeros((2, *SIZE), dtype=torch.uint8)
    classes[0, :, 8:] = 2
    return classes


def right_scores(output: Output, size: float = 6.0) -> Tensor:
    planes = torch.stack([truth() == k for k in range(5)], dim=1).float()
    scores = (planes * 2 - 1) * size
    return scores if output == "softmax" else scores[:, 1:]


def loss_of(scores: Tensor, output: Output = "sigmoid", **weights: Any) -> float:  # noqa: ANN401 - of LossConfig
    config = LossConfig(**{**ONLY, **weights})
    objective = Objective(config, output, classes=4, output_stride=1)
    return float(objective(Scores(scores, None), truth(), padded=SIZE).total)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("name", ["cross_entropy", "dice", "focal", "lovasz"])
def test_the_truth_costs_least(name: str, output: Output) -> None:
    right = right_scores(output)
    costs = [loss_of(scores, output, **{name: 1}) for scores in (right, right * 0, -right)]
    assert costs == sorted(costs)
    assert costs[0] < costs[2] / 10


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_missing_a_defect_costs_more_where_its_class_weighs_more(name: str, output: Output) -> None:
    scores = -right_scores(output)
    heavy = loss_of(scores, output, **{name: 1}, positive_weights=(1, 3, 1, 1))
    other = loss_of(scores, output, **{name: 1}, positive_weights=(3, 1, 3, 3))
    plain = loss_of(scores, output, **{name: 1})
    assert heavy > plain
    assert other == pytest.approx(plain)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_focal_without_focus_is_cross_entropy(output: Output) -> None:
    generator = torch.Generator().manual_seed(1)
    scores = torch.randn((2, 4 + (output == "softmax"), 8, 8), generator=generator)
    areas = torch.rand((2, 4, 8, 8), generator=generator) / 4
    weights = (1.0, 2.0, 0.5, 1.0)
    focal = focal_values(scores, areas, output=output, gamma=0.0, positive_weights=weights)
    entropy = cross_entropy_values(scores, areas, output=output, positive_weights=weights)
    assert torch.allclose(focal, entropy, atol=1e-6)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_focal_cares_less_about_what_is_nearly_right(output: Output) -> None:
    right, wrong = right_scores(output, 2.0), -right_scores(output, 2.0)
    plain = loss_of(wrong, output, cross_entropy=1) / loss_of(right, output, cross_entropy=1)
    focal = loss_of(wrong, output, focal=1) / loss_of(right, output, focal=1)
    assert focal > 10 * plain


def test_a_focus_below_one_has_a_finite_gradient_where_all_is_right() -> None:
    scores = torch.full((1, 1, 2, 2), -200.0, requires_grad=True)
    values = focal_values(scores, torch.zeros((1, 1, 2, 2)), output="sigmoid", gamma=0.5)
    values.sum().backward()  # type: ignore[no-untyped-call]
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()


def test_dice_leaves_absent_classes_out() -> None:
    areas = torch.zeros((1, 4, 8, 8))
    probability = torch.full((1, 4, 8, 8), 0.5)
    assert dice_loss(probability, areas) == 0
    areas[:, 0, :4] = 1
    halves = dice_loss(probability, areas)
    assert float(halves) == pytest.approx(1 - (2 * 16 + 1) / (32 + 32 + 1))


def test_dice_is_taken_over_the_batch_and_not_crop_by_crop() -> None:
    areas = torch.zeros((2, 1, 8, 8))
    areas[0] = 1
    probability = torch.full((2, 1, 8, 8), 0.5)
    assert float(dice_loss(probability, areas)) == pytest.approx(1 - 65 / 129)


def test_false_alarms_weigh_what_they_are_told_to_in_lovasz() -> None:
    areas = torch.zeros((1, 2, 8, 8))
    areas[:, 0] = 1
    scores = torch.stack((torch.full((8, 8), 9.0), torch.full((8, 8), 4.0)))[None]
    # class 1 is right and costs nothing; class 2 isn't there, and its worst margin is 1 + 4
    for weight in (0.0, 0.2, 1.0):
        loss = lovasz_loss(scores, areas, output="sigmoid", empty_weight=weight)
        assert float(loss) == pytest.approx(5 * weight / (1 + weight))


def test_only_empty_masks_without_weight_cost_nothing() -> None:
    scores = torch.ones((1, 2, 8, 8), requires_grad=True)
    loss = lovasz_loss(scores, torch.zeros((1, 2, 8, 8)), output="sigmoid", empty_weight=0.0)
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss == 0


def test_the_image_head_is_told_whether_a_class_is_there() -> None:
    objective = Objective(LossConfig(dice=0, image=0.5), "sigmoid", classes=4, output_stride=1)
    told = torch.full((2, 4), -5.0)
    told[0, 1] = 5.0
    right = objective(Scores(right_scores("sigmoid"), told), truth(), padded=SIZE)
    wrong = objective(Scores(right_scores("sigmoid"), -told), truth(), padded=SIZE)
    assert right.parts["image"] < 0.01
    assert wrong.parts["image"] == pytest.approx(5.0, abs=0.01)
    gap = wrong.parts["image"] - right.parts["image"]
    assert float(wrong.total - right.total) == pytest.approx(0.5 * float(gap))


def test_the_total_is_the_weighted_sum_of_the_parts() -> None:
    config = LossConfig(cross_entropy=1, dice=0.5, focal=2, lovasz=0.25, image=0)
    objective = Objective(config, "softmax", classes=4, output_stride=1)
    losses = objective(Scores(right_scores("softmax", 1.0), None), truth(), padded=SIZE)
    assert list(losses.parts) == ["cross_entropy", "focal", "dice", "lovasz"]
    parts = {name: float(part) for name, part in losses.parts.items()}
    expected = parts["cross_entropy"] + 0.5 * parts["dice"] + 2 * parts["focal"]
    assert float(losses.total) == pytest.approx(expected + 0.25 * parts["lovasz"])


def test_padding_is_cut_off_before_anything_is_compared() -> None:
    coarse = torch.zeros((1, 1, 3, 5))
    coarse[..., 2, :] = 9.0
    coarse[..., 4] = 9.0
    cells = on_grid(coarse, padded=(48, 80), stride=2, size=(16, 32))
    assert cells.shape == (1, 1, 16, 32)
    assert float(cells[..., :8, :16].abs().max()) == 0


def test_a_mean_over_processes_weighs_every_value_alike() -> None:
    others = torch.tensor([30.0, 6.0], dtype=torch.float64)  # sum and count elsewhere
    values = torch.tensor([1.0, 2.0])
    assert float(mean_of(values, lambda mine: mine + others)) == pytest.approx(33 / 8)


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
@pytest.mark.parametrize("name", ["cross_entropy", "dice", "focal", "lovasz"])
def test_gradients_are_those_of_finite_differences(name: str, output: Output) -> None:
    config = LossConfig(**{**ONLY, name: 1, "positive_weights": (1, 2, 1, 1)})
    objective = Objective(config, output, classes=4, output_stride=1)
    generator = torch.Generator().manual_seed(5)
    scores = torch.randn((1, 4 + (output == "softmax"), 4, 4), generator=generator)
    classes = torch.randint(0, 5, (1, 8, 8), generator=generator).to(torch.uint8)
    direction = torch.randn(scores.shape, generator=generator)

    def at(distance: float) -> float:
        moved = scores + distance * direction
        return float(objective(Scores(moved, None), classes, padded=(8, 8)).total)

    leaf = scores.clone().requires_grad_()
    objective(Scores(leaf, None), classes, padded=(8, 8)).total.backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    slope = float((leaf.grad * direction).sum())
    measured = (at(1e-2) - at(-1e-2)) / 2e-2
    assert slope == pytest.approx(measured, rel=0.02, abs=2e-4)
