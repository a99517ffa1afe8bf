"""The ONNX file: the network's answers, half the size, plain operators, no trace of its origin."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig, Upsampling
from models.encoders import EFFICIENTNETS, RESNETS
from models.fusion import fuse, round_to_half
from models.network import SteelNet
from models.onnx_file import INPUT, OPSET, OUTPUT, open_onnx, write_onnx
from tests.models.conftest import MakeNetwork

WAYS: tuple[Upsampling, ...] = ("nearest", "bed_of_nails", "max_unpooling", "transposed")
FAMILIES = ("efficientnet_b0", "resnet34")


@pytest.fixture(scope="module")
def path(tiny_network: SteelNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(round_to_half(fuse(tiny_network)), path, height=64, width=128)
    return path


@pytest.fixture(scope="module")
def program(path: Path) -> onnx.ModelProto:
    return onnx.load(path)


def check_answers(network: SteelNet, path: Path) -> None:
    """Compare ONNX Runtime with torch, for one strip and for three."""
    plain = round_to_half(fuse(network))
    write_onnx(plain, path, height=64, width=128)
    session = open_onnx(path, threads=1)
    strips = np.random.default_rng(5).integers(0, 256, (3, 1, 64, 128), np.uint8)
    with torch.inference_mode():
        expected = plain(torch.from_numpy(strips)).numpy()
    assert expected.std() > 0.02
    for count in (1, 3):
        found = session.run([OUTPUT], {INPUT: strips[:count]})[0]
        assert np.abs(found - expected[:count]).max() < 1e-3


def one_now(ways: Sequence[Upsampling], number: int) -> list[object]:
    """One with every run of the tests, the others with the long ones."""
    return [
        way if way == ways[number] else pytest.param(way, marks=pytest.mark.slow) for way in ways
    ]


@pytest.mark.parametrize("way", one_now(WAYS, 0))
def test_a_unet_gives_its_answers_whatever_its_upsampling(
    way: Upsampling, make_network: MakeNetwork, tmp_path: Path
) -> None:
    config = UnetConfig(width=4, depth=2, upsampling=way, activation="leaky_relu")
    check_answers(make_network(config), tmp_path / "model.onnx")


@pytest.mark.parametrize("way", one_now(WAYS, -1))
def test_an_fcn_gives_its_answers_whatever_its_upsampling(
    way: Upsampling, make_network: MakeNetwork, tmp_path: Path
) -> None:
    config = FcnConfig(width=2, head_width=4, upsampling=way, output="softmax", image_head=True)
    check_answers(make_network(config), tmp_path / "model.onnx")


@pytest.mark.parametrize("encoder", FAMILIES)
def test_a_network_on_an_encoder_gives_its_answers(
    encoder: str, make_network: MakeNetwork, tmp_path: Path
) -> None:
    config = EncoderUnetConfig(encoder=encoder, decoder_channels=(8, 8, 8))
    check_answers(make_network(config), tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("encoder", sorted({*EFFICIENTNETS, *RESNETS} - {*FAMILIES}))
def test_so_does_a_network_on_every_other_encoder(
    encoder: str, make_network: MakeNetwork, tmp_path: Path
) -> None:
    config = EncoderUnetConfig(encoder=encoder, decoder_channels=(8, 8, 8))
    check_answers(make_network(config), tmp_path / "model.onnx")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "config",
    [
        FcnConfig(width=2, head_width=4, coarsest_stride=32),
        FcnConfig(width=2, head_width=4, coarsest_stride=16),
        UnetConfig(width=4, depth=4, activation="tanh", batch_norm=False, dropout=0.3),
        UnetConfig(width=4, depth=1, activation="sigmoid", input_downsample=4),
    ],
    ids=["fcn-32s", "fcn-16s", "tanh", "sigmoid"],
)
def test_so_does_every_other_choice(
    config: NetworkConfig, make_network: MakeNetwork, tmp_path: Path
) -> None:
    check_answers(make_network(config), tmp_path / "model.onnx")


def test_weights_are_stored_in_half_precision_with_a_cast_each(program: onnx.ModelProto) -> None:
    arrays = [numpy_helper.to_array(tensor) for tensor in program.graph.initializer]
    large = [array for array in arrays if array.size >= 64 and array.dtype.kind == "f"]
    assert large
    assert all(array.dtype == np.float16 for array in large)
    assert sum(node.op_type == "Cast" for node in program.graph.node) >= len(large)


def test_the_opset_is_one_that_tensorrt_and_onnx_runtime_take(program: onnx.ModelProto) -> None:
    assert [one.version for one in program.opset_import if not one.domain] == [OPSET]
    assert OPSET <= 20
    assert not program.functions


def test_the_batch_is_free_and_the_rest_is_not(program: onnx.ModelProto) -> None:
    dimensions = program.graph.input[0].type.tensor_type.shape.dim
    assert dimensions[0].dim_param
    assert [one.dim_value for one in dimensions][1:] == [1, 64, 128]


def test_nothing_tells_where_it_was_made(program: onnx.ModelProto) -> None:
    assert not program.metadata_props
    assert not any(node.metadata_props for node in program.graph.node)
    assert b".py" not in program.SerializeToString()
