"""Every optimiser learns, and every weight is in the group where it belongs."""

from typing import get_args

import pytest
import torch

from models.config import EncoderUnetConfig, UnetConfig
from models.network import build_network
from train.config import OptimConfig
from train.fitting.optimisers import build_optimiser, parameter_groups, set_rates

NAMES = get_args(OptimConfig.model_fields["optimiser"].annotation)
RATES = {"sgd": 0.2, "adagrad": 0.3, "adadelta": 5.0, "radam": 0.1}


def optim(name: str, **changes: float) -> OptimConfig:
    return OptimConfig.model_validate({"optimiser": name, "weight_decay": 0, **changes})


@pytest.mark.parametrize("name", NAMES)
def test_every_optimiser_finds_a_plane(name: str) -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn((64, 3), generator=generator)
    heights = points @ torch.tensor([1.0, -2.0, 0.5]) + 0.3
    weights = torch.zeros(4, requires_grad=True)
    rate = RATES.get(name, 0.02)
    groups = [{"params": [weights], "name": "decoder", "rate": rate, "lr": rate}]
    optimiser = build_optimiser(groups, optim(name))
    losses = []
    for _ in range(300):
        optimiser.zero_grad()
        loss = ((points @ weights[:3] + weights[3] - heights) ** 2).mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 100


@pytest.mark.parametrize("name", NAMES)
def test_an_optimiser_goes_on_from_its_state(name: str) -> None:
    ends = []
    for stop_at in (None, 3):
        weights = torch.linspace(-1, 1, 5).requires_grad_()
        groups = [{"params": [weights], "name": "decoder", "rate": 0.1, "lr": 0.1}]
        optimiser = build_optimiser(groups, optim(name))
        for step in range(6):
            if step == stop_at:
                state = optimiser.state_dict()
                optimiser = build_optimiser(groups, optim(name))
                optimiser.load_state_dict(state)
            optimiser.zero_grad()
            (weights**4).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        ends.append(weights.detach())
    assert torch.equal(*ends)


@pytest.mark.parametrize("name", ["adamw", "radam"])
def test_decoupled_decay_is_the_same_for_weights_that_hardly_matter(name: str) -> None:
    """Each shrinks by rate times decay a step, however small its gradient; L2 would drown it."""
    weights = torch.tensor([1.0, 1.0], requires_grad=True)
    groups = [{"params": [weights], "lr": 0.01, "weight_decay": 0.5}]
    optimiser = build_optimiser(groups, optim(name))
    optimiser.zero_grad()
    (weights * 0).sum().backward()  # type: ignore[no-untyped-call]
    optimiser.step()
    assert weights.detach().tolist() == pytest.approx([0.995, 0.995])


def test_norms_and_biases_are_not_decayed() -> None:
    network = build_network(EncoderUnetConfig(decoder_channels=(8, 8)))
    chosen = OptimConfig(weight_decay=0.1, encoder_rate=1e-4, decoder_rate=1e-3)
    groups = parameter_groups(network, chosen, has_pretrained_encoder=True)
    assert {(g["name"], g["rate"], g["weight_decay"]) for g in groups} == {
        ("encoder", 1e-4, 0.1),
        ("encoder", 1e-4, 0.0),
        ("decoder", 1e-3, 0.1),
        ("decoder", 1e-3, 0.0),
    }
    for group in groups:
        assert all((weight.ndim > 1) == (group["weight_decay"] > 0) for weight in group["params"])
    everyone = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(everyone) == sorted(id(weight) for weight in network.parameters())


@pytest.mark.parametrize("shape", [EncoderUnetConfig(decoder_channels=(8,)), UnetConfig(width=2)])
def test_what_is_random_learns_at_the_decoders_rate(
    shape: EncoderUnetConfig | UnetConfig,
) -> None:
    is_pretrained = isinstance(shape, UnetConfig)  # without an encoder that changes nothing
    groups = parameter_groups(
        build_network(shape), OptimConfig(), has_pretrained_encoder=is_pretrained
    )
    assert {group["name"] for group in groups} == {"decoder"}


def test_rates_are_parts_of_the_full_ones() -> None:
    weights = torch.zeros(2, requires_grad=True)
    groups = [{"params": [weights], "name": "decoder", "rate": 0.1, "lr": 0.1}]
    optimiser = build_optimiser(groups, optim("sgd"))
    set_rates(optimiser, 0.5)
    assert set_rates(optimiser, 0.25) == {"decoder": pytest.approx(0.025)}
