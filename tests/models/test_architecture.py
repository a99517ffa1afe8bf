"""The network's shapes, its input and its output."""

import pytest
import torch
from pydantic import ValidationError

from models.architecture import NetworkConfig, SteelNet, build_network


@pytest.mark.parametrize(
    ("downsample", "levels", "stride"), [(1, 5, 1), (1, 3, 4), (2, 4, 4), (2, 5, 2), (2, 2, 16)]
)
def test_the_output_stride_follows_from_downsampling_and_decoder_levels(
    downsample: int, levels: int, stride: int
) -> None:
    config = NetworkConfig.model_validate(
        {"input_downsample": downsample, "decoder_channels": [8] * levels}
    )
    network = build_network(config).eval()
    with torch.inference_mode():
        answer = network(torch.zeros((1, 1, 64, 128), dtype=torch.uint8))
    assert config.output_stride == stride
    assert answer.shape == (1, 4, 64 // stride, 128 // stride)


@pytest.mark.parametrize("stages", [6, 7])
def test_the_encoder_gives_six_maps_that_halve_in_size(stages: int) -> None:
    config = NetworkConfig.model_validate({"encoder_stages": stages})
    network = build_network(config).eval()
    maps = network.encoder(torch.zeros((1, 1, 64, 128)))
    assert [one.shape[-1] for one in maps] == [128, 64, 32, 16, 8, 4]
    assert tuple(one.shape[1] for one in maps) == network.encoder.out_channels


def test_an_untrained_network_sees_few_defects(tiny_config: NetworkConfig) -> None:
    network = build_network(tiny_config).eval()
    with torch.inference_mode():
        answer = network(torch.full((1, 1, 64, 128), 90, dtype=torch.uint8))
    assert float(answer.max()) < 0.2


def test_strips_of_a_batch_do_not_influence_each_other(tiny_network: SteelNet) -> None:
    generator = torch.Generator().manual_seed(5)
    strips = torch.randint(0, 256, (3, 1, 64, 128), dtype=torch.uint8, generator=generator)
    with torch.inference_mode():
        together = tiny_network(strips)
        alone = torch.cat([tiny_network(strip[None]) for strip in strips])
    assert torch.allclose(together, alone, atol=1e-5)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(ValidationError, match="colour"):
        NetworkConfig.model_validate({"colour": True})
