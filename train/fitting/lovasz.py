"""The Lovasz extension of the Jaccard loss: a convex surrogate of 1 - IoU.

Berman, Triki and Blaschko, "The Lovasz-Softmax loss: a tractable surrogate for the optimization of
the intersection-over-union measure in neural networks", 2018. Equation numbers are the paper's.
"""

import torch
from torch import Tensor
from torch.nn import functional


def jaccard_steps(truth: Tensor) -> Tensor:
    """By how much the Jaccard loss grows as one wrong pixel after another is added.

    That is the gradient of the Lovasz extension with respect to sorted errors (equation 9).

    Args:
        truth: (..., P) 0 or 1, in the order of falling errors.
    """
    positives = truth.sum(dim=-1, keepdim=True)
    still_common = positives - truth.cumsum(dim=-1)
    either = positives + (1 - truth).cumsum(dim=-1)
    loss = 1 - still_common / either
    return torch.diff(loss, dim=-1, prepend=torch.zeros_like(loss[..., :1]))


def lovasz_extension(errors: Tensor, truth: Tensor) -> Tensor:
    """Value (...) of the extension at errors (..., P) of pixels whose truth (..., P) is 0 or 1.

    At errors that are 0 or 1 it is 1 - IoU. Without any true pixel it is the largest error.
    """
    falling, order = errors.sort(dim=-1, descending=True, stable=True)
    return (falling * jaccard_steps(truth.gather(-1, order))).sum(dim=-1)


def lovasz_hinge(scores: Tensor, truth: Tensor) -> Tensor:
    """Loss (N, K) of raw scores (N, K, h, w), each class for itself (equations 10 and 11)."""
    margins = 1 - scores * (2 * truth - 1)
    return lovasz_extension(functional.relu(margins).flatten(2), truth.flatten(2))


def lovasz_softmax(probability: Tensor, truth: Tensor) -> Tensor:
    """Loss (N, K) of probabilities (N, K, h, w) that compete (equations 12 and 13)."""
    return lovasz_extension((truth - probability).abs().flatten(2), truth.flatten(2))
