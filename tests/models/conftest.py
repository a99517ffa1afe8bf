"""A network small enough for tests: random weights, thin decoder."""

import pytest
import torch

from models.architecture import NetworkConfig, SteelNet, build_network


@pytest.fixture(scope="session")
def tiny_config() -> NetworkConfig:
    return NetworkConfig(decoder_channels=(8, 8, 8, 8))


@pytest.fixture(scope="session")
def tiny_network(tiny_config: NetworkConfig) -> SteelNet:
    """Make a network whose answers vary and whose statistics aren't 0 and 1."""
    torch.set_num_threads(1)
    torch.manual_seed(3)
    network = build_network(tiny_config)
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.randint(0, 256, (2, 1, 64, 128), dtype=torch.uint8))
        torch.nn.init.normal_(network.head.weight, std=0.5)
    return network.eval()
