"""Batch normalisation where a batch has a single value per channel.

One crop of 32 x 32 pixels is one value at stride 32; it has no variance, and torch refuses it.
Such a layer then normalises with its running statistics, as it does in evaluation.
"""

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def let_single_values_pass(network: nn.Module) -> None:
    """Prepare a network for training on single crops, in place."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.register_forward_pre_hook(_rest_for_single_values)


def _rest_for_single_values(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Put one layer into evaluation mode; the next step's `train()` ends it."""
    count, channels = inputs[0].numel(), inputs[0].shape[1]
    if count == channels:
        norm.training = False
