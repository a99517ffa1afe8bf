"""Targets say what part of a cell is which class, and what is worth a target at all."""

import pytest
import torch

from train.fitting.targets import (
    area_targets,
    hard_targets,
    presence_targets,
    target_stride,
    with_background,
)


def test_targets_are_the_part_of_a_cell_that_belongs_to_a_class() -> None:
    classes = torch.zeros((1, 4, 4), dtype=torch.uint8)
    classes[0, 0, 0] = 2
    classes[0, 2:, 2:] = 4
    targets = area_targets(classes, count=4, stride=2)
    assert targets.shape == (1, 4, 2, 2)
    assert targets[0, 1, 0, 0] == 0.25
    assert targets[0, 3, 1, 1] == 1
    assert targets.sum() == 1.25
    assert area_targets(classes, count=4, stride=1).sum() == 5


def test_with_background_every_cell_sums_to_one() -> None:
    areas = torch.tensor([[[[0.25, 0.0]], [[0.5, 1.0]]]])
    whole = with_background(areas)
    assert torch.equal(whole.sum(dim=1), torch.ones(1, 1, 2))
    assert torch.equal(whole[:, 0], torch.tensor([[[0.25, 0.0]]]))


def test_a_cell_that_is_half_defect_is_its_largest_class() -> None:
    areas = torch.tensor([[[[0.25, 0.5, 0.25]], [[0.0, 0.0, 0.5]]]])
    assert hard_targets(areas).tolist() == [[[[0, 1, 0]], [[0, 0, 1]]]]


@pytest.mark.parametrize(
    ("output_stride", "height", "width", "stride"),
    [(4, 256, 1600, 2), (1, 256, 1600, 2), (1, 200, 200, 1), (4, 200, 200, 2), (4, 255, 600, 1)],
)
def test_small_images_keep_the_resolution_that_a_network_gives(
    output_stride: int, height: int, width: int, stride: int
) -> None:
    assert target_stride(output_stride, height=height, width=width) == stride


def test_a_ragged_edge_of_a_defect_is_no_presence() -> None:
    classes = torch.zeros((2, 32, 32), dtype=torch.uint8)
    classes[0, :4, :4] = 1
    classes[1, :4, :5] = 2
    assert presence_targets(classes, count=2).tolist() == [[0, 0], [0, 1]]
