"""The average follows the network, slowly, and goes on from where it was."""

import pytest
import torch

from models.architecture import NetworkConfig, SteelNet, build_network
from train.averaging import WeightAverage


@pytest.fixture
def network() -> SteelNet:
    return build_network(NetworkConfig(decoder_channels=(8, 8)))


def shift(network: SteelNet, by: float) -> None:
    with torch.no_grad():
        network.head.weight.add_(by)


def test_the_first_updates_forget_the_random_start(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.999)
    shift(network, 1.0)
    before = average.network.head.weight.clone()
    average.update(network)
    moved = average.network.head.weight - before
    assert torch.allclose(moved, torch.full_like(moved, 9 / 11), atol=1e-5)


def test_later_updates_follow_with_the_decay(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.9)
    average.updates = 10_000
    shift(network, 1.0)
    before = average.network.head.weight.clone()
    average.update(network)
    moved = average.network.head.weight - before
    assert torch.allclose(moved, torch.full_like(moved, 0.1), atol=1e-5)


def test_statistics_are_averaged_and_counters_copied(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.9)
    network.train()
    network(torch.randint(0, 256, (2, 1, 64, 64), dtype=torch.uint8))
    average.update(network)
    assert average.network.encoder.bn1.num_batches_tracked == 1
    assert not torch.equal(
        average.network.encoder.bn1.running_mean, network.encoder.bn1.running_mean
    )


def test_the_average_is_never_trained(network: SteelNet) -> None:
    average = WeightAverage(network, decay=0.9)
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
