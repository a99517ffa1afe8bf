"""Folding batch normalisation into convolutions: fewer operators, the same function."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.network import SteelNet


def fuse(network: SteelNet) -> SteelNet:
    """A copy, in evaluation mode, without batch normalisation.

    The layers in question are registered in the order in which they run (timm's and smp's blocks
    and our own are), which is what decides the pairs.
    """
    fused = copy.deepcopy(network).eval()
    modules = dict(fused.named_modules())
    leaves = [
        name for name, module in modules.items() if isinstance(module, nn.Conv2d | nn.BatchNorm2d)
    ]
    for first, second in pairwise(leaves):
        convolution, norm = modules[first], modules[second]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            _replace(fused, first, fuse_conv_bn_eval(convolution, norm))
            _replace(fused, second, getattr(norm, "act", nn.Identity()))
    return fused


def _replace(root: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(root.get_submodule(parent), child, module)


def round_to_half(network: SteelNet) -> SteelNet:
    """Round every weight, in place, to what half precision can hold; they stay float32."""
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(parameter.half().float())
    return network
