"""The average follows the network, slowly, and goes on from where it was."""

import pytest
import torch

from models.config import UnetConfig
from models.network import SteelNet, build_network
from train.fitting.averaging import WeightAverage


@pytest.fixture
def network() -> SteelNet:
    return build_network(UnetConfig(width=2, depth=1))


def shift(network: SteelNet, by: float) -> None:
    with torch.no_grad():
        network.body.last_layer().weight.add_(by)


def movement(average: WeightAverage, network: SteelNet) -> torch.Tensor:
    weight = average.network.body.last_layer().weight
    before = weight.clone()
    average.update(network)
    return weight - before


def test_the_first_updates_forget_the_random_start(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.999)
    shift(network, 1.0)
    moved = movement(average, network)
    assert torch.allclose(moved, torch.full_like(moved, 9 / 11), atol=1e-5)


@pytest.mark.parametrize("decay", [0.9, 0.0])
def test_later_updates_follow_with_the_decay(network: SteelNet, decay: float) -> None:
    average = WeightAverage(network, decay=decay)
    average.updates = 10_000
    shift(network, 1.0)
    moved = movement(average, network)
    assert torch.allclose(moved, torch.full_like(moved, 1 - decay), atol=1e-5)


def test_statistics_are_averaged_and_counters_copied(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.9)
    network.train()
    network(torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8))
    average.update(network)
    before, now = WeightAverage(network, decay=0.9).network.state_dict(), network.state_dict()
    changed = {name for name, mean in average.network.state_dict().items() if mean.any()}
    counters = [name for name in now if name.endswith("num_batches_tracked")]
    assert counters
    assert all(average.network.state_dict()[name] == 1 for name in counters)
    assert {name for name in before if name.endswith("running_mean")} <= changed


def test_the_average_is_never_trained(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.9)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
