"""Networks small enough for tests: random weights, thin layers."""

from collections.abc import Callable, Iterator

import pytest
import torch

from models.config import EncoderUnetConfig, NetworkConfig
from models.network import SteelNet, build_network

SCORE_SPREAD = 2.0
LEAST_VARIANCE = 0.01
MakeNetwork = Callable[[NetworkConfig], SteelNet]


@pytest.fixture(autouse=True)
def _same_numbers() -> None:
    """What is random in a test doesn't depend on the tests that ran before it."""
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of tests that run beside each other would wait for one another."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_network(_one_thread: None) -> MakeNetwork:
    """Make a network whose answers range over 0..1 and whose statistics aren't 0 and 1."""

    def make(config: NetworkConfig) -> SteelNet:
        torch.manual_seed(3)
        network = build_network(config).train()
        strips = torch.randint(0, 256, (2, 1, 64, 128), dtype=torch.uint8)
        norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
        last = network.body.last_layer()
        with torch.no_grad():
            torch.nn.init.normal_(last.weight, std=0.5)
            for norm in norms:
                norm.momentum = 1.0  # take on the statistics of these strips
            network(strips)
            for norm in norms:
                # a variance near zero would blow rounding errors up, more so in a deep network
                if norm.running_var is not None:
                    norm.running_var.add_(LEAST_VARIANCE)
            spread = network.eval().scores(strips).pixel.std()
            last.weight.mul_(SCORE_SPREAD / spread)
            if last.bias is not None:
                torch.nn.init.zeros_(last.bias)
        return network

    return make


@pytest.fixture(scope="session")
def tiny_config() -> EncoderUnetConfig:
    return EncoderUnetConfig(
        encoder_stages=6, input_downsample=2, decoder_channels=(8, 8, 8, 8), image_head=True
    )


@pytest.fixture(scope="session")
def tiny_network(tiny_config: EncoderUnetConfig, make_network: MakeNetwork) -> SteelNet:
    return make_network(tiny_config)
