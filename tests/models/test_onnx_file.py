"""The ONNX file: half the size, plain operators, no trace of where it was made."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from models.architecture import SteelNet
from models.fusion import fuse, round_to_half
from models.onnx_file import OPSET, write_onnx


@pytest.fixture(scope="module")
def program(tiny_network: SteelNet, tmp_path_factory: pytest.TempPathFactory) -> onnx.ModelProto:
    path: Path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    write_onnx(round_to_half(fuse(tiny_network)), path, height=64, width=128)
    return onnx.load(path)


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
