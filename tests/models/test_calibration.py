"""Magnitudes are counted whatever comes first, and an outlier doesn't set the scale."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies
from onnx import TensorProto, helper, numpy_helper

from models.calibration import BINS, Magnitudes, measure_ranges
from models.parity import ExportError


def counted(*parts: np.ndarray) -> Magnitudes:
    magnitudes = Magnitudes()
    for part in parts:
        magnitudes.add(part.astype(np.float32))
    return magnitudes


def test_what_covers_all_is_the_largest_magnitude() -> None:
    values = np.array([0.5, -7.25, 3.0])
    assert counted(values).covering(1.0) == 7.25


def test_one_outlier_in_a_million_does_not_set_the_reach() -> None:
    values = np.random.default_rng(1).uniform(-1, 1, 1_000_000)
    values[123] = 300.0
    assert counted(values).covering(0.9999) == pytest.approx(1.0, abs=2 * 512 / BINS)


def test_the_order_of_small_and_large_values_makes_no_difference() -> None:
    rng = np.random.default_rng(2)
    small, large = rng.normal(0, 1e-3, 1000), rng.normal(0, 100, 1000)
    first, second = counted(small, large), counted(large, small)
    assert first.limit == second.limit
    assert np.array_equal(first.counts, second.counts)


@given(strategies.lists(strategies.floats(-1e6, 1e6, width=32), min_size=1, max_size=50))
@settings(deadline=None, derandomize=True)
def test_every_value_is_counted_and_the_share_is_covered(values: list[float]) -> None:
    array = np.array(values, np.float32)
    magnitudes = counted(array)
    assert magnitudes.counts.sum() == array.size
    reach = magnitudes.covering(0.5)
    assert np.mean(np.abs(array) <= reach * (1 + 1e-6)) >= 0.5


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_a_network_with_undefined_values_is_refused(strange: float) -> None:
    with pytest.raises(ExportError, match="undefined values"):
        counted(np.array([1.0, strange]))


def test_ranges_are_those_of_the_values_inside() -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["strip"], ["grey"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["grey", "factor"], ["inside"]),
            helper.make_node("Relu", ["inside"], ["probability"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("strip", TensorProto.UINT8, ["N", 1, 2, 4])],
        [helper.make_tensor_value_info("probability", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.float32(-0.5), "factor")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    strips = [np.full((1, 1, 2, 4), grey, np.uint8) for grey in (3, 200, 40)]
    ranges = measure_ranges(model, ["grey", "inside"], strips)
    assert ranges == {"grey": 200.0, "inside": 100.0}
    assert len(model.graph.output) == 1
