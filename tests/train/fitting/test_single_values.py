"""A single value per channel has no variance, and is trained on all the same."""

import pytest
import torch

from models.config import UnetConfig
from models.network import build_network
from train.fitting.single_values import let_single_values_pass

ONE_VALUE = torch.randint(0, 256, (1, 1, 4, 4), dtype=torch.uint8)


def test_torch_refuses_a_single_value_and_a_prepared_network_does_not() -> None:
    network = build_network(UnetConfig(width=2, depth=2)).train()
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        network.scores(ONE_VALUE)
    let_single_values_pass(network)
    scores = network.scores(ONE_VALUE).pixel
    scores.sum().backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(scores).all()


def test_larger_crops_use_their_own_statistics_again() -> None:
    network = build_network(UnetConfig(width=2, depth=2)).train()
    let_single_values_pass(network)
    before = {n: t.clone() for n, t in network.state_dict().items() if "running_mean" in n}
    network.scores(ONE_VALUE)
    network.train()
    network.scores(torch.randint(0, 256, (1, 1, 16, 16), dtype=torch.uint8))
    now = network.state_dict()
    assert before
    assert not any(torch.equal(now[name], mean) for name, mean in before.items())
