"""The image head sees a defect wherever it lies."""

import torch

from models.image_head import ImageHead


def test_the_score_does_not_depend_on_the_place() -> None:
    torch.manual_seed(1)
    head = ImageHead(3, 4)
    deepest = torch.rand(2, 3, 2, 5)
    assert torch.allclose(head(deepest), head(deepest.flip(3)), atol=1e-6)
    assert head(deepest).shape == (2, 4)


def test_one_strong_cell_counts_on_a_strip_of_any_length() -> None:
    head = ImageHead(1, 1)
    with torch.no_grad():
        head.score.weight.copy_(torch.tensor([[0.0, 1.0]]))
        head.score.bias.zero_()
    deepest = torch.zeros(1, 1, 8, 500)
    deepest[0, 0, 3, 77] = 9.0
    assert head(deepest).item() == 9.0
