"""The rules that make steps of gradients, and which weights each rate and decay is for."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from models.network import SteelNet
from train.config import OptimConfig

ENCODER = "encoder"
DECODER = "decoder"


def parameter_groups(
    network: SteelNet, optim: OptimConfig, *, has_pretrained_encoder: bool
) -> list[dict[str, Any]]:
    """The network's weights by learning rate and weight decay, for any of torch's optimisers.

    A pretrained encoder learns at its own rate, all else at the decoder's. Biases and the scales of
    normalisations aren't decayed: they have one dimension, and pulling them to zero regularises
    nothing (He et al., Bag of Tricks for Image Classification, 2018, section 3.1).
    """
    body = network.body
    encoder = getattr(body, "encoder", None) if has_pretrained_encoder else None
    in_encoder = set() if encoder is None else {id(weight) for weight in encoder.parameters()}
    sorted_weights: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for weight in network.parameters():
        name = ENCODER if id(weight) in in_encoder else DECODER
        sorted_weights.setdefault((name, weight.ndim > 1), []).append(weight)
    rates = {ENCODER: optim.encoder_rate, DECODER: optim.decoder_rate}
    return [
        {
            "params": weights,
            "name": name,
            "rate": rates[name],
            "lr": rates[name],
            "weight_decay": optim.weight_decay if is_decayed else 0.0,
        }
        for (name, is_decayed), weights in sorted_weights.items()
    ]


def build_optimiser(groups: list[dict[str, Any]], optim: OptimConfig) -> Optimizer:
    """The optimiser that a configuration names; decay is decoupled for adamw and radam."""
    makers: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(groups),
        "momentum": lambda: torch.optim.SGD(groups, momentum=optim.momentum),
        "adagrad": lambda: torch.optim.Adagrad(groups),
        "adadelta": lambda: torch.optim.Adadelta(groups),
        "rmsprop": lambda: torch.optim.RMSprop(groups, momentum=optim.momentum),
        "adam": lambda: torch.optim.Adam(groups),
        "adamw": lambda: torch.optim.AdamW(groups),
        "radam": lambda: torch.optim.RAdam(groups, decoupled_weight_decay=True),
    }
    return makers[optim.optimiser]()


def set_rates(optimiser: Optimizer, part: float) -> dict[str, float]:
    """Set every group to a part of its full rate; gives the rates by the groups' names."""
    for group in optimiser.param_groups:
        group["lr"] = group["rate"] * part
    return {group["name"]: float(group["lr"]) for group in optimiser.param_groups}
