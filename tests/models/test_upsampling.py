"""Four ways up: each puts every value where its definition says."""

from pathlib import Path
from typing import cast

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn
from torch.nn import functional

from edge_daemon.inference.onnx_runtime import onnxruntime
from models.config import Upsampling
from models.upsampling import (
    Doubling,
    bed_of_nails,
    double,
    max_unpool,
    nearest,
    pool_with_places,
)

WAYS: tuple[Upsampling, ...] = ("nearest", "bed_of_nails", "max_unpooling", "transposed")


def maps_with_ties(seed: int, *, height: int = 6, width: int = 8) -> Tensor:
    """Few different values, so that many squares have several maxima."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-2, 3, (2, 3, height, width), generator=generator).float()


@settings(deadline=None, derandomize=True, max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 4))
def test_pooling_and_unpooling_are_those_of_torch(seed: int, rows: int, columns: int) -> None:
    x = maps_with_ties(seed, height=2 * rows, width=2 * columns)
    pooled, places = pool_with_places(x)
    expected, indices = functional.max_pool2d(x, 2, return_indices=True)
    assert torch.equal(pooled, expected)
    values = torch.rand(pooled.shape)
    assert torch.equal(max_unpool(values, places), functional.max_unpool2d(values, indices, [2, 2]))


def test_the_gradient_of_pooling_goes_to_the_place_of_the_maximum() -> None:
    x = torch.tensor([[[[1.0, 5.0], [2.0, 5.0]]]], requires_grad=True)
    torch.autograd.backward(pool_with_places(x)[0].sum())
    assert x.grad is not None
    assert x.grad.tolist() == [[[[0.0, 1.0], [0.0, 0.0]]]]


def test_nails_stand_in_upper_left_corners() -> None:
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert bed_of_nails(x).tolist() == [[[[1.0, 0.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]]]]


def test_nearest_fills_the_square() -> None:
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert nearest(x).tolist() == [[[[1.0, 1.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0]]]]


@pytest.mark.parametrize("way", WAYS)
def test_each_way_doubles_the_size_and_changes_the_channels(way: Upsampling) -> None:
    places = torch.zeros((2, 5, 3, 4), dtype=torch.int64)
    assert Doubling(6, 5, way=way)(torch.rand(2, 6, 3, 4), places).shape == (2, 5, 6, 8)


def test_max_unpooling_without_places_is_refused() -> None:
    with pytest.raises(ValueError, match="places of a pooling"):
        double(torch.rand(1, 1, 2, 2), None, way="max_unpooling")


class PoolAndUnpool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pooled, places = pool_with_places(x)
        return max_unpool(pooled + 1, places) + bed_of_nails(pooled)


@pytest.mark.filterwarnings("ignore")
def test_onnx_runtime_finds_the_same_places_even_among_equals(tmp_path: Path) -> None:
    path = tmp_path / "unpool.onnx"
    torch.onnx.export(
        PoolAndUnpool(),
        (maps_with_ties(1),),
        path,
        dynamo=True,
        opset_version=18,
        input_names=["x"],
        dynamic_shapes=({0: torch.export.Dim("N", min=1, max=8)},),
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for seed in range(5):
        x = maps_with_ties(seed)[: 1 + seed % 2]
        found = cast("object", session.run(None, {"x": x.numpy()})[0])
        assert torch.equal(torch.as_tensor(found), PoolAndUnpool()(x))
