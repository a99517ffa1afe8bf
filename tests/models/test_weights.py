"""ImageNet weights land where they belong, or it is said why they can't."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from models.config import EncoderUnetConfig, UnetConfig
from models.encoder_unet import EncoderUnet
from models.network import build_network
from models.weights import PACKAGES, Source, WeightsError, fitted, load_imagenet

Tensors = dict[str, torch.Tensor]


def imagenet_file(name: str = "efficientnet_lite0") -> Tensors:
    package = pytest.importorskip(PACKAGES[name])
    path = next((Path(package.__file__).parent / "models").glob("*.pth"))
    state: Tensors = torch.load(path, weights_only=True)
    return {key: tensor for key, tensor in state.items() if "num_batches_tracked" not in key}


def encoder_with_weights(**settings: object) -> EncoderUnet:
    config = EncoderUnetConfig.model_validate({"decoder_channels": (8, 8), **settings})
    network = build_network(config)
    load_imagenet(network)
    assert isinstance(network.body, EncoderUnet)
    return network.body.eval()


def test_the_stem_is_summed_over_the_three_colours() -> None:
    stem = next(iter(imagenet_file().values()))
    body = encoder_with_weights()
    assert torch.equal(body.encoder.stem()[0].weight, stem.sum(1, keepdim=True))


@pytest.mark.parametrize("name", [name for name in PACKAGES if name.startswith("tf_")])
def test_a_grey_strip_gives_what_three_equal_channels_gave_the_original(name: str) -> None:
    original = timm.create_model(name).eval()
    keys = [key for key in original.state_dict() if "num_batches_tracked" not in key]
    original.load_state_dict(
        dict(zip(keys, imagenet_file(name).values(), strict=True)), strict=False
    )
    strip = torch.randint(0, 256, (1, 1, 64, 96)).float()
    body = encoder_with_weights(encoder=name)
    with torch.inference_mode():
        colour = ((strip - 127) / 128).expand(-1, 3, -1, -1)
        expected = original.forward_intermediates(colour, intermediates_only=True)
        found = body.encoder((strip - 127) / 128)[1:]
    for one, other in zip(expected, found, strict=True):
        assert torch.allclose(one, other, atol=2e-3, rtol=1e-3)


def test_another_scale_of_greys_gives_the_same_first_features() -> None:
    imagenet_file()
    strip = torch.randint(0, 256, (1, 1, 64, 96)).float()
    usual = encoder_with_weights().encoder
    other = encoder_with_weights(grey_mean=90.0, grey_scale=55.0).encoder
    with torch.inference_mode():
        expected = usual((strip - 127) / 128)[1]
        found = other((strip - 90) / 55)[1]
    assert torch.allclose(expected[..., 2:-2, 2:-2], found[..., 2:-2, 2:-2], atol=1e-3)


def test_another_epsilon_is_taken_up_by_the_variances() -> None:
    file = imagenet_file()
    norm = encoder_with_weights().encoder.stem()[1]
    variance = list(file.values())[4]
    assert norm.eps < 1e-3
    assert norm.running_var is not None
    assert torch.allclose(norm.running_var + norm.eps, variance + 1e-3)


def test_the_last_stage_holds_the_weights_of_its_name() -> None:
    shape = (320, 1152, 1, 1)
    expected = next(tensor for tensor in imagenet_file().values() if tensor.shape == shape)
    last = encoder_with_weights().encoder.state_dict()["blocks.6.0.conv_pwl.weight"]
    assert torch.equal(last, expected)


def test_the_decoder_and_the_head_are_left_alone() -> None:
    imagenet_file()
    network = build_network(EncoderUnetConfig(decoder_channels=(8, 8)))
    rest = ("body.decoder", "body.head")
    before = {k: v.clone() for k, v in network.state_dict().items() if k.startswith(rest)}
    load_imagenet(network)
    assert all(torch.equal(network.state_dict()[name], was) for name, was in before.items())


@pytest.mark.parametrize("encoder", ["resnet34", "efficientnet_b0"])
def test_weights_by_timms_names_fit_their_encoder(encoder: str) -> None:
    torch.manual_seed(1)
    original = timm.create_model(encoder).eval()
    for one in original.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    source = Source(
        original.state_dict(),
        tuple(255 * one for one in mean),
        tuple(255 * one for one in deviation),
        1e-5,
    )
    config = EncoderUnetConfig(encoder=encoder, decoder_channels=(8, 8))
    body = build_network(config).body
    assert isinstance(body, EncoderUnet)
    body.encoder.load_state_dict(fitted(source, body.encoder, config))
    body.eval()
    strip = torch.randint(0, 256, (1, 1, 64, 96)).float()
    with torch.inference_mode():
        colour = (strip / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(deviation)[
            :, None, None
        ]
        expected = original.forward_intermediates(colour, intermediates_only=True)[0]
        found = body.encoder((strip - 127) / 128)[1]
    assert torch.allclose(expected[..., 4:-4, 4:-4], found[..., 4:-4, 4:-4], atol=1e-3)


def test_weights_of_another_encoder_are_refused() -> None:
    config = EncoderUnetConfig(encoder="resnet34", decoder_channels=(8, 8))
    body = build_network(config).body
    assert isinstance(body, EncoderUnet)
    source = Source(timm.create_model("resnet50").state_dict(), (127.0,) * 3, (128.0,) * 3, 1e-5)
    with pytest.raises(WeightsError, match="layer1"):
        fitted(source, body.encoder, config)


def load_elsewhere(encoder: str, home: Path) -> str:
    """Load in a process of its own that reaches no hub and has no cache; what it says."""
    code = (
        "from models.config import EncoderUnetConfig\n"
        "from models.network import build_network\n"
        "from models.weights import WeightsError, load_imagenet\n"
        f"network = build_network(EncoderUnetConfig(encoder={encoder!r}))\n"
        "try:\n    load_imagenet(network)\nexcept WeightsError as error:\n    print(error)\n"
    )
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(home), "no_proxy": "*"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **nowhere, "HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert done.stderr == ""
    return done.stdout


@pytest.mark.slow
def test_weights_that_are_nowhere_are_missed_with_both_remedies(tmp_path: Path) -> None:
    said = load_elsewhere("resnet34", tmp_path)
    assert "efficientnet_lite0" in said
    assert "pip" in said
    assert "HF_HOME" in said
    assert "imagenet=false" in said


def test_an_architecture_without_encoder_is_refused() -> None:
    with pytest.raises(WeightsError, match="begins from scratch"):
        load_imagenet(build_network(UnetConfig(width=4, depth=1)))
