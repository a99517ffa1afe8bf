"""Networks and weights come from runs and from bundles, and what didn't fit is told."""

from pathlib import Path

import pytest
import torch

from edge_daemon.simulation.strips import draw_strip
from models.config import EncoderUnetConfig, UnetConfig
from models.network import SteelNet, build_network
from train.checkpoint import save_checkpoint
from train.config import RunConfig
from train.fitting.loop import fit
from train.fitting.runlog import Progress
from train.fitting.start import (
    StartError,
    network_from,
    shape_from,
    starting_network,
    take_weights,
    weights_from,
)
from train.runs import RunFolder

BUNDLE = Path(__file__).parents[3] / "models" / "zoo" / "steel-nano"
SMALL = EncoderUnetConfig(decoder_channels=(8, 8))


@pytest.fixture
def strips() -> torch.Tensor:
    return torch.randint(0, 256, (2, 1, 64, 96), generator=torch.Generator().manual_seed(1)).to(
        torch.uint8
    )


def save_run(folder: Path, network: SteelNet) -> Path:
    state = network.state_dict()
    folder.mkdir()
    shape = network.config.model_dump(mode="json")
    save_checkpoint(
        folder / "checkpoint.pt", {"average": {"network": state}, "network_config": shape}
    )
    return folder


def settled(config: EncoderUnetConfig | UnetConfig, strips: torch.Tensor, *, seed: int) -> SteelNet:
    """A network whose statistics aren't those it was made with."""
    torch.manual_seed(seed)
    network = build_network(config).train()
    for _ in range(3):
        network.scores(strips)
    return network.eval()


def test_a_run_gives_its_network_back(strips: torch.Tensor, tmp_path: Path) -> None:
    shape = EncoderUnetConfig(decoder_channels=(8, 8), image_head=True)
    network = settled(shape, strips, seed=1)
    run = save_run(tmp_path / "run", network)
    assert torch.equal(network_from(run)(strips), network(strips))
    assert torch.equal(network_from(run / "checkpoint.pt")(strips), network(strips))


def test_what_fits_is_taken_and_the_rest_is_named(strips: torch.Tensor, tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", settled(SMALL, strips, seed=1))
    other = build_network(EncoderUnetConfig(decoder_channels=(8, 8), image_head=True))
    taken = take_weights(other, run)
    assert taken.missing == ("image_head.score.weight", "image_head.score.bias")
    assert f"{taken.fitting} of {taken.fitting + 2} tensors from {run}" in str(taken)
    assert "random are image_head.score.weight and 1 more" in str(taken)


def test_weights_of_which_nothing_fits_are_refused(tmp_path: Path) -> None:
    run = save_run(tmp_path / "run", build_network(UnetConfig(classes=3, width=3, depth=1)))
    with pytest.raises(StartError, match=r"none of its .* fits this network"):
        take_weights(build_network(SMALL), run)


def test_a_place_that_holds_neither_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"neither a run .* nor a bundle"):
        weights_from(tmp_path)


def test_a_bundle_is_a_start_and_a_teacher(strips: torch.Tensor) -> None:
    network = network_from(BUNDLE)
    learner = build_network(network.config)
    taken = take_weights(learner, BUNDLE)
    assert not taken.missing
    expected, answer = network(strips), learner.eval()(strips)
    assert torch.allclose(answer, expected, atol=2e-3)


def test_the_seed_decides_what_is_random() -> None:
    config = RunConfig(imagenet=False, network=UnetConfig(width=2, depth=1))
    first, second = (starting_network(config)[0] for _ in range(2))
    other = starting_network(config.model_copy(update={"seed": 2}))[0]
    weights = [one.body.last_layer().weight for one in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_run_tells_what_it_started_from(quick_run: RunConfig, tmp_path: Path) -> None:
    run = save_run(tmp_path / "earlier", build_network(quick_run.network))
    config = quick_run.model_copy(update={"start": run})
    told: list[Progress] = []
    fit(config, RunFolder(tmp_path / "run"), draw=draw_strip, report=told.append)
    assert any("started from" in one and str(run) in one for one in told[0].warnings)
    assert not any("started from" in one for progress in told[1:] for one in progress.warnings)


def test_a_bundle_and_a_run_tell_the_shape_of_their_network(tmp_path: Path) -> None:
    network = build_network(SMALL)
    assert shape_from(save_run(tmp_path / "run", network)) == SMALL.model_dump(mode="json")
    shape = shape_from(BUNDLE)
    assert (shape["encoder_stages"], shape["image_head"]) == (6, True)
