"""What is put into INT8, in the form that TensorRT asks for, and that it stays the same network."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge_daemon.core.tiling import Strips
from models.config import UnetConfig
from models.fusion import fuse, round_to_half
from models.int8 import FLOAT_AT_END, layers_to_quantise, quantise, write_int8
from models.network import SteelNet
from models.onnx_file import INPUT, OUTPUT, open_onnx, write_onnx
from models.parity import ExportError
from tests.models.conftest import MakeNetwork

HEIGHT, WIDTH = 64, 128
CHANNELS = 4


@pytest.fixture(scope="module")
def network(make_network: MakeNetwork) -> SteelNet:
    return make_network(UnetConfig(width=4, depth=2, input_downsample=2, image_head=True))


@pytest.fixture(scope="module")
def source(network: SteelNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(round_to_half(fuse(network)), path, height=HEIGHT, width=WIDTH)
    return path


@pytest.fixture(scope="module")
def strips() -> list[Strips]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (1, 1, HEIGHT, WIDTH), np.uint8) for _ in range(6)]


@pytest.fixture(scope="module")
def int8(source: Path, strips: list[Strips], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("int8") / "model.int8.onnx"
    write_int8(source, path, strips)
    return path


def answers(path: Path, strips: list[Strips]) -> NDArray[np.float32]:
    session = open_onnx(path, threads=1)
    return np.concatenate([session.run([OUTPUT], {INPUT: strip})[0] for strip in strips])


def stored(path: Path) -> dict[str, NDArray[np.generic]]:
    graph = onnx.load(path).graph
    return {one.name: numpy_helper.to_array(one) for one in graph.initializer}


def test_the_quantised_network_says_nearly_the_same_and_not_the_very_same(
    source: Path, int8: Path, strips: list[Strips]
) -> None:
    before, after = answers(source, strips), answers(int8, strips)
    assert before.std() > 0.1
    assert 0 < np.abs(after - before).mean() < 0.02


def test_the_file_is_smaller_and_made_again_the_same(
    source: Path, int8: Path, strips: list[Strips], tmp_path: Path
) -> None:
    assert sum(one.nbytes for one in stored(int8).values()) < sum(
        one.nbytes for one in stored(source).values()
    )
    write_int8(source, tmp_path / "again.onnx", strips)
    assert (tmp_path / "again.onnx").read_bytes() == int8.read_bytes()


def test_all_zero_points_are_zero_and_half_precision_holds_all_scales(int8: Path) -> None:
    values = stored(int8)
    zeros = [one for name, one in values.items() if name.endswith(".zero")]
    scales = [one for name, one in values.items() if name.endswith(".scale")]
    assert zeros
    assert all(one.dtype == np.int8 and not one.any() for one in zeros)
    assert all(one.dtype == np.float32 and np.all(np.greater(one, 0)) for one in scales)
    assert all(np.array_equal(one, one.astype(np.float16)) for one in scales)


def test_a_kernel_has_a_scale_for_each_of_its_channels_and_uses_nearly_all_levels(
    int8: Path,
) -> None:
    kernels = {name: one for name, one in stored(int8).items() if one.dtype == np.int8 and one.ndim}
    kernels = {name: one for name, one in kernels.items() if name.endswith(".int8")}
    assert kernels
    for name, kernel in kernels.items():
        scale = stored(int8)[name.replace(".int8", ".scale")]
        assert scale.shape == (len(kernel),)
        largest = np.abs(kernel.astype(int)).max(axis=(1, 2, 3))
        assert largest.min() >= 126
        assert largest.max() <= 127


def test_any_number_of_strips_goes_through(int8: Path) -> None:
    session = open_onnx(int8, threads=1)
    for count in (1, 3):
        many = np.zeros((count, 1, HEIGHT, WIDTH), np.uint8)
        assert len(session.run([OUTPUT], {INPUT: many})[0]) == count


def convolution(number: int, *, takes: str, group: int = 1) -> onnx.NodeProto:
    return helper.make_node(
        "Conv",
        [takes, f"kernel{number}"],
        [f"v{number}"],
        name=f"conv{number}",
        group=group,
        pads=[1, 1, 1, 1],
    )


@pytest.fixture
def residual() -> onnx.ModelProto:
    """Six convolutions after the first, the second of them depthwise, around one sum."""
    nodes = [
        helper.make_node("Cast", ["strip"], ["grey"], name="cast", to=TensorProto.FLOAT),
        convolution(0, takes="grey"),
        convolution(1, takes="v0"),
        convolution(2, takes="v1", group=CHANNELS),
        convolution(3, takes="v2"),
        helper.make_node("Add", ["v3", "v0"], ["sum"], name="sum"),
        convolution(4, takes="sum"),
        convolution(5, takes="v4"),
        convolution(6, takes="v5"),
        helper.make_node("Sigmoid", ["v6"], ["probability"], name="sigmoid"),
    ]
    rng = np.random.default_rng(6)
    shapes = {0: (CHANNELS, 1, 3, 3), 2: (CHANNELS, 1, 3, 3)}
    kernels = [
        numpy_helper.from_array(
            rng.normal(0, 0.2, shapes.get(k, (CHANNELS, CHANNELS, 3, 3))).astype(np.float32),
            f"kernel{k}",
        )
        for k in range(7)
    ]
    graph = helper.make_graph(
        nodes,
        "residual",
        [helper.make_tensor_value_info("strip", TensorProto.UINT8, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["N", CHANNELS, 8, 8])],
        kernels,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_beginning_end_and_depthwise_convolutions_stay_in_float(residual: onnx.ModelProto) -> None:
    layers = layers_to_quantise(residual.graph)
    assert FLOAT_AT_END == 3
    assert [layer.name for layer in layers] == ["conv3"]


def test_a_sum_takes_what_is_quantised_already_and_others_do_not(
    residual: onnx.ModelProto,
) -> None:
    layers = [node for node in residual.graph.node if node.name in ("conv1", "conv4")]
    quantise(residual, layers, {"v0": 1.0, "sum": 2.0})
    onnx.checker.check_model(residual, full_check=True)
    takes = {node.name: list(node.input) for node in residual.graph.node}
    assert takes["conv1"] == ["v0.rounded", "kernel1.rounded"]
    assert takes["sum"] == ["v3", "v0.rounded"]
    assert takes["conv2"] == ["v1", "kernel2"]
    assert takes["conv4"] == ["sum.rounded", "kernel4.rounded"]


def test_float_kernels_that_nothing_takes_any_more_are_dropped(residual: onnx.ModelProto) -> None:
    layers = layers_to_quantise(residual.graph)
    quantise(residual, layers, {"v2": 1.0})
    names = {one.name for one in residual.graph.initializer}
    assert "kernel3" not in names
    assert {"kernel3.int8", "kernel2"} <= names


def test_a_network_that_is_all_beginning_and_end_is_refused(
    residual: onnx.ModelProto, tmp_path: Path
) -> None:
    kept = [node for node in residual.graph.node if node.name in ("cast", "conv0", "sigmoid")]
    kept[-1].input[0] = "v0"
    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del residual.graph.node[:]
    residual.graph.node.extend(nodes)
    onnx.save(residual, tmp_path / "short.onnx")
    with pytest.raises(ExportError, match="fit for INT8"):
        write_int8(tmp_path / "short.onnx", tmp_path / "out.onnx", [])
    assert not (tmp_path / "out.onnx").exists()


def test_an_old_file_without_scales_per_channel_is_refused(residual: onnx.ModelProto) -> None:
    residual.opset_import[0].version = 12
    with pytest.raises(ExportError, match="opset 13"):
        quantise(residual, layers_to_quantise(residual.graph), {"v2": 1.0})
