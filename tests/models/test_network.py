"""From a strip to probabilities, whatever the architecture."""

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig
from models.network import SteelNet, build_network

TINY_UNET = UnetConfig(width=4, depth=2)
TINY_FCN = FcnConfig(width=2, head_width=4)
TINY_ENCODER = EncoderUnetConfig(decoder_channels=(8, 8))
TINY = (TINY_UNET, TINY_FCN, TINY_ENCODER)


def noise(count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randint(0, 256, (count, 1, 64, 128), dtype=torch.uint8, generator=generator)


def names(config: object) -> str:
    return type(config).__name__


@pytest.mark.parametrize(
    ("downsample", "levels", "stride"), [(1, 5, 1), (1, 3, 4), (2, 4, 4), (2, 5, 2), (2, 2, 16)]
)
def test_the_output_stride_follows_from_downsampling_and_decoder_levels(
    downsample: int, levels: int, stride: int
) -> None:
    config = EncoderUnetConfig.model_validate(
        {"input_downsample": downsample, "decoder_channels": [8] * levels}
    )
    network = build_network(config).eval()
    with torch.inference_mode():
        answer = network(torch.zeros((1, 1, 64, 128), dtype=torch.uint8))
    assert config.output_stride == stride
    assert answer.shape == (1, 4, 64 // stride, 128 // stride)


@pytest.mark.parametrize("config", TINY, ids=names)
def test_an_untrained_network_sees_few_defects(config: NetworkConfig) -> None:
    torch.manual_seed(1)
    with torch.inference_mode():
        answer = build_network(config).eval()(noise(1))
    assert 0 < float(answer.mean()) < 0.05


@pytest.mark.parametrize("config", TINY, ids=names)
def test_softmax_lets_classes_compete_for_a_pixel(config: NetworkConfig) -> None:
    network = build_network(config.model_copy(update={"output": "softmax"})).eval()
    with torch.inference_mode():
        scores, answer = network.scores(noise(2)).pixel, network(noise(2))
    assert scores.shape[1] == answer.shape[1] + 1
    background = torch.softmax(scores, dim=1)[:, :1]
    assert torch.allclose(background + answer.sum(dim=1, keepdim=True), torch.tensor(1.0))


@pytest.mark.parametrize("config", TINY, ids=names)
def test_the_image_head_multiplies_every_map_by_its_probability(config: NetworkConfig) -> None:
    network = build_network(config.model_copy(update={"image_head": True})).eval()
    with torch.inference_mode():
        scores, answer = network.scores(noise(2)), network(noise(2))
    assert scores.image is not None
    damping = torch.sigmoid(scores.image)[:, :, None, None]
    assert torch.allclose(answer, torch.sigmoid(scores.pixel) * damping)
    assert float(damping.max()) < 1


@pytest.mark.parametrize("config", TINY, ids=names)
def test_every_weight_gets_a_gradient(config: NetworkConfig) -> None:
    network = build_network(config.model_copy(update={"image_head": True})).train()
    with torch.no_grad():
        # a network that starts with silent skip connections gives what lies below them nothing yet
        for parameter in network.body.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    scores = network.scores(noise(2))
    assert scores.image is not None
    torch.autograd.backward(scores.pixel.square().mean() + scores.image.square().mean())
    silent = [name for name, one in network.named_parameters() if one.grad is None]
    assert silent == []


def test_strips_of_a_batch_do_not_influence_each_other(tiny_network: SteelNet) -> None:
    with torch.inference_mode():
        together = tiny_network(noise(3))
        alone = torch.cat([tiny_network(strip[None]) for strip in noise(3)])
    assert torch.allclose(together, alone, atol=1e-5)


def test_checkpoints_keep_their_names(tiny_network: SteelNet) -> None:
    parts = {".".join(name.split(".")[:2]) for name in tiny_network.state_dict()}
    assert parts == {"body.encoder", "body.decoder", "body.head", "image_head.score"}


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        EncoderUnetConfig.model_validate({"colour": True})


@pytest.mark.parametrize("config", TINY, ids=names)
def test_a_configuration_reads_back_as_the_architecture_it_was(config: NetworkConfig) -> None:
    adapter: TypeAdapter[NetworkConfig] = TypeAdapter(NetworkConfig)
    assert adapter.validate_json(config.model_dump_json()) == config
