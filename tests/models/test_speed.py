"""Speed is measured on the network itself, in both runtimes, and leaves torch as it was."""

import pytest
import torch

from models.config import UnetConfig
from models.network import SteelNet, build_network
from models.speed import Runtime, compare_with_smp, strips_per_second


@pytest.fixture(scope="module")
def small_network() -> SteelNet:
    return build_network(UnetConfig(width=2, depth=1))


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_a_network_does_some_strips_in_a_second(small_network: SteelNet, runtime: Runtime) -> None:
    before = torch.get_num_threads()
    found = strips_per_second(
        small_network, seconds=0.1, threads=1, runtime=runtime, height=64, width=128
    )
    assert found > 0
    assert torch.get_num_threads() == before


def test_the_ratio_lies_between_those_of_the_pairs(small_network: SteelNet) -> None:
    found = compare_with_smp(small_network, pairs=3, seconds=0.1, threads=1, height=64, width=128)
    assert len(found.ratios) == 3
    assert min(found.ratios) <= found.ratio <= max(found.ratios)
    assert found.strips_per_s > 0
    assert found.smp_strips_per_s > 0


def test_the_threads_of_torch_are_given_back_after_a_failure(small_network: SteelNet) -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError):
        strips_per_second(small_network, seconds=0.1, threads=2, runtime="torch", height=0, width=0)
    assert torch.get_num_threads() == before
