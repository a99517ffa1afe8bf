"""The Lovasz extension is the Jaccard loss where that is defined, and has the right gradient."""

from itertools import product

import pytest
import torch

from train.fitting.lovasz import lovasz_extension, lovasz_hinge, lovasz_softmax

PIXELS = 5


def jaccard_loss(truth: tuple[int, ...], predicted: tuple[int, ...]) -> float:
    """1 - IoU, counted."""
    common = sum(t and p for t, p in zip(truth, predicted, strict=True))
    either = sum(t or p for t, p in zip(truth, predicted, strict=True))
    return 1 - common / either if either else 0.0


@pytest.mark.parametrize("truth", list(product((0, 1), repeat=PIXELS)))
def test_on_binary_predictions_it_is_the_jaccard_loss(truth: tuple[int, ...]) -> None:
    wanted = torch.tensor(truth, dtype=torch.float64)
    for predicted in product((0, 1), repeat=PIXELS):
        errors = (wanted - torch.tensor(predicted)).abs()
        value = lovasz_extension(errors, wanted)
        assert float(value) == pytest.approx(jaccard_loss(truth, predicted))


def test_between_binary_predictions_it_is_interpolated_along_the_order_of_errors() -> None:
    truth = torch.tensor([1.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    # errors .9 > .6 > .2 > .1 on pixels 0, 2, 1, 3; the Jaccard losses of {0}, {0, 2}, {0, 2, 1}
    # and all are 1/2, 2/3, 1 and 1
    errors = torch.tensor([0.9, 0.2, 0.6, 0.1], dtype=torch.float64)
    expected = 0.9 * (1 / 2) + 0.6 * (2 / 3 - 1 / 2) + 0.2 * (1 - 2 / 3)
    assert float(lovasz_extension(errors, truth)) == pytest.approx(expected)


def test_without_a_true_pixel_it_is_the_largest_error() -> None:
    errors = torch.tensor([0.3, 0.8, 0.1])
    assert float(lovasz_extension(errors, torch.zeros(3))) == pytest.approx(0.8)


@pytest.mark.parametrize("loss", [lovasz_hinge, lovasz_softmax])
def test_gradients_are_those_of_finite_differences(loss: object) -> None:
    generator = torch.Generator().manual_seed(3)
    scores = torch.rand((2, 2, 3, 3), generator=generator, dtype=torch.float64) * 0.9
    truth = (torch.rand((2, 2, 3, 3), generator=generator) < 0.4).double()
    truth[0, 0] = 0
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, truth), (scores,))  # type: ignore[operator]  # one of two functions


def test_crops_and_classes_do_not_mix() -> None:
    generator = torch.Generator().manual_seed(4)
    scores = torch.randn((3, 2, 4, 4), generator=generator)
    truth = (torch.rand((3, 2, 4, 4), generator=generator) < 0.3).float()
    whole = lovasz_hinge(scores, truth)
    alone = lovasz_hinge(scores[1:2, 1:2], truth[1:2, 1:2])
    assert whole.shape == (3, 2)
    assert torch.allclose(whole[1, 1], alone[0, 0])
