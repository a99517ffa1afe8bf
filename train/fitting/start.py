"""Networks and weights that already know something: of an earlier run, or of a bundle."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from torch import Tensor, nn

from edge_daemon.errors import ConfigurationError
from edge_daemon.inference.bundle import MANIFEST, load_bundle
from models.config import NetworkConfig
from models.network import SteelNet, build_network
from models.weights import load_imagenet
from train.checkpoint import load_checkpoint
from train.config import RunConfig

CHECKPOINT = "checkpoint.pt"
PROGRAM = "model.pt2"


class StartError(ConfigurationError):
    """A network or its weights can't be taken from where the configuration says."""


@dataclass(frozen=True, slots=True)
class Taken:
    """How much of a network came from elsewhere.

    Attributes:
        path: from where.
        fitting: tensors that were taken.
        missing: names of those that kept their random values.
    """

    path: Path
    fitting: int
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """In a sentence."""
        text = f"{self.fitting} of {self.fitting + len(self.missing)} tensors from {self.path}"
        if not self.missing:
            return text
        rest = f" and {len(self.missing) - 1} more" if len(self.missing) > 1 else ""
        return f"{text}; random are {self.missing[0]}{rest}"


def weights_from(path: Path) -> dict[str, Tensor]:
    """Weights by name: the averaged ones of a run's folder or checkpoint, or those of a bundle.

    A bundle's are in half precision.

    Raises:
        StartError: neither lies there.
        CheckpointError: the run's checkpoint can't be read.
        BundleError: the bundle isn't whole.
    """
    if _is_bundle(path):
        load_bundle(path)
        program = torch.export.load(path / PROGRAM)
        return {
            name: value.float() if value.is_floating_point() else value
            for name, value in program.state_dict.items()
        }
    weights: dict[str, Tensor] = load_checkpoint(_checkpoint_in(path))["average"]["network"]
    return weights


def shape_from(path: Path) -> dict[str, Any]:
    """The network's configuration in a run or a bundle, as plain values.

    Raises:
        StartError: neither lies there.
        CheckpointError: the run's checkpoint can't be read.
        BundleError: the bundle isn't whole.
    """
    if _is_bundle(path):
        return dict(load_bundle(path).manifest.provenance.architecture)
    return dict(load_checkpoint(_checkpoint_in(path))["network_config"])


def network_from(path: Path) -> SteelNet:
    """A trained network, as its run or its bundle has it, in evaluation mode.

    Raises:
        StartError: neither lies there, or its weights are of another network.
        CheckpointError: the run's checkpoint can't be read.
        BundleError: the bundle isn't whole.
    """
    shape = TypeAdapter[NetworkConfig](NetworkConfig).validate_python(shape_from(path))
    network = build_network(shape)
    try:
        network.load_state_dict(weights_from(path))
    except RuntimeError as error:
        raise StartError(f"{path}: made by another version of the networks: {error}") from error
    return network.eval()


def take_weights(network: SteelNet, path: Path) -> Taken:
    """Put weights of a run or a bundle into a network where name and shape fit.

    Args:
        network: changed in place.
        path: a run's folder, its checkpoint, or a bundle.

    Raises:
        StartError: nothing lies there, or nothing fits.
    """
    given = weights_from(path)
    own = network.state_dict()
    fitting = {n: t for n, t in given.items() if n in own and own[n].shape == t.shape}
    if not fitting:
        raise StartError(
            f"{path}: none of its {len(given)} tensors fits this network; set `network` as it was "
            "there (see its config.json or bundle.json), or leave `start` out"
        )
    network.load_state_dict({**own, **fitting})
    missing = tuple(n for n in own if n not in fitting and not n.endswith("num_batches_tracked"))
    return Taken(path, len(fitting), missing)


def starting_network(config: RunConfig) -> tuple[SteelNet, Taken | None]:
    """The network before its first step: random, or with ImageNet's weights, or another run's.

    Args:
        config: says which; the seed decides what is random.

    Raises:
        StartError: `start` can't be used.
        WeightsError: ImageNet weights can't be had.
    """
    torch.manual_seed(config.seed)
    network = build_network(config.network)
    if config.start is not None:
        return network, take_weights(network, config.start)
    if config.imagenet and has_encoder(network):
        load_imagenet(network)
    return network, None


def has_encoder(network: SteelNet) -> bool:
    """Whether a part of the network is one for which ImageNet weights may exist."""
    return isinstance(getattr(network.body, "encoder", None), nn.Module)


def _is_bundle(path: Path) -> bool:
    return (path / MANIFEST).is_file()


def _checkpoint_in(path: Path) -> Path:
    checkpoint = path / CHECKPOINT if path.is_dir() else path
    if not checkpoint.is_file():
        raise StartError(
            f"{path}: neither a run (a folder with {CHECKPOINT}) nor a bundle (with {MANIFEST})"
        )
    return checkpoint
