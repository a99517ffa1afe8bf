"""Every encoder gives six maps that halve in size."""

import pytest
import timm
import torch

from models.encoders import EFFICIENTNETS, RESNETS, EncoderError, build_encoder

FAMILIES = ("efficientnet_b0", "tf_efficientnet_lite1", "resnet34", "resnet50")


def check_maps(name: str, *, stages: int = 7) -> None:
    encoder = build_encoder(name, stages=stages).eval()
    maps = encoder(torch.zeros((1, 1, 64, 128)))
    assert [tuple(one.shape[2:]) for one in maps] == [(64 >> k, 128 >> k) for k in range(6)]
    assert tuple(one.shape[1] for one in maps) == encoder.out_channels


@pytest.mark.parametrize("name", FAMILIES)
def test_the_encoder_gives_six_maps_that_halve_in_size(name: str) -> None:
    check_maps(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*EFFICIENTNETS, *RESNETS} - {*FAMILIES}))
def test_every_other_encoder_does_so_as_well(name: str) -> None:
    check_maps(name)


def test_an_efficientnet_goes_without_its_last_stage() -> None:
    check_maps("efficientnet_b0", stages=6)
    names = build_encoder("efficientnet_b0", stages=6).state_dict()
    assert {name.split(".")[1] for name in names if name.startswith("blocks.")} == set("012345")


@pytest.mark.parametrize("name", FAMILIES)
def test_tensors_have_the_names_that_timm_gives_them(name: str) -> None:
    with torch.device("meta"):
        ours = build_encoder(name).state_dict()
        theirs = timm.create_model(name, in_chans=1).state_dict()
    assert {key: tensor.shape for key, tensor in ours.items()}.items() <= {
        key: tensor.shape for key, tensor in theirs.items()
    }.items()


@pytest.mark.parametrize("name", FAMILIES)
def test_maps_are_those_of_timm(name: str) -> None:
    torch.manual_seed(1)
    theirs = timm.create_model(name, in_chans=1).eval()
    ours = build_encoder(name).eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    strip = torch.randn(1, 1, 64, 64)
    with torch.inference_mode():
        expected = theirs.forward_intermediates(strip, intermediates_only=True)
        found = ours(strip)[1:]
    for one, other in zip(expected[-4:], found[-4:], strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_an_unknown_encoder_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(EncoderError, match=r"'vgg16' is unknown.*resnet152"):
        build_encoder("vgg16")


def test_a_resnet_with_fewer_stages_is_refused() -> None:
    with pytest.raises(EncoderError, match="set it to 7"):
        build_encoder("resnet34", stages=6)
