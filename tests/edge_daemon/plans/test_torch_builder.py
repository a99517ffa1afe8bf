"""What of the torch-tensorrt builder can be tried without a GPU: all but the conversion itself."""

import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from edge_daemon.engine import shipped_bundle
from edge_daemon.inference.answers import count_above, thresholds_of
from edge_daemon.inference.bundle import Bundle, load_bundle, read_known_answer
from edge_daemon.plans.faults import NoPlanError, OperatorError

torch = pytest.importorskip("torch")

from edge_daemon.plans.torch_builder import (  # noqa: E402 - imports torch
    CountingNetwork,
    _logged,
    counting_program,
    failure,
    typing_options,
)
from models.program_file import read_in_single_precision  # noqa: E402 - imports torch

THRESHOLDS = np.array([0.5, 0.25, 0.499], np.float32)
COUNTING = CountingNetwork(torch.nn.Identity(), torch.from_numpy(THRESHOLDS))


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle(shipped_bundle())


@settings(deadline=None, derandomize=True, max_examples=100)
@given(arrays.arrays(np.float16, (2, 3, 2, 4)))
def test_whatever_the_network_says_is_counted_exactly(given: NDArray[np.float16]) -> None:
    probability, counts, valid = COUNTING(torch.from_numpy(given))
    seen = given.astype(np.float32)
    assert (probability.dtype, counts.dtype, valid.dtype) == (
        torch.float16,
        torch.int32,
        torch.int32,
    )
    np.testing.assert_array_equal(counts, count_above(seen, THRESHOLDS))
    np.testing.assert_array_equal(valid, ((seen >= 0) & (seen <= 1)).sum(axis=(1, 2, 3)))


def test_the_known_answer_is_counted_as_the_bundle_would(bundle: Bundle) -> None:
    strip, expected = read_known_answer(bundle)
    thresholds = thresholds_of(bundle)
    network = read_in_single_precision(bundle.program_path)
    with torch.inference_mode():
        answer = CountingNetwork(network, torch.from_numpy(thresholds))(torch.from_numpy(strip))
    probability, counts, valid = (one.numpy() for one in answer)
    tolerance = bundle.manifest.known_answer.tolerance
    np.testing.assert_allclose(probability, expected, rtol=0, atol=tolerance)
    np.testing.assert_array_equal(counts, count_above(probability.astype(np.float32), thresholds))
    assert valid.tolist() == [expected.size]


def test_the_shipped_program_is_exported_with_the_outputs_of_the_contract(bundle: Bundle) -> None:
    graph = counting_program(bundle).graph
    (output,) = (node for node in graph.nodes if node.op == "output")
    given = [value.meta["val"] for value in output.args[0]]
    assert [one.dtype for one in given] == [torch.float16, torch.int32, torch.int32]
    assert [tuple(one.shape[1:]) for one in given] == [(4, 64, 400), (4,), ()]
    assert "strip" in {node.name for node in graph.nodes if node.op == "placeholder"}


def test_a_program_that_torch_cannot_read_points_to_the_other_builder(
    bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "model.pt2").write_bytes(b"no program")
    broken = Bundle(tmp_path, bundle.manifest, bundle.fingerprint)
    with pytest.raises(NoPlanError, match="--builder onnx"):
        counting_program(broken)


@pytest.mark.parametrize("version", ["2.8.0", "2.9.1+cu130", "2.11.0"])
def test_old_versions_are_told_to_keep_the_types_of_the_program(version: str) -> None:
    assert typing_options(version) == {"use_explicit_typing": True}


@pytest.mark.parametrize("version", ["2.12.0", "2.13.0+cu132", "2.14.0a0", "3.0.0"])
def test_newer_versions_know_no_such_option(version: str) -> None:
    assert typing_options(version) == {}


def test_an_operator_without_a_converter_is_named() -> None:
    error = failure(
        [
            "something else happened",
            "Conversion of function torch._ops.aten.max_unpool2d.default not currently supported!",
            "local variable 'interpreter_result' referenced before assignment",
        ]
    )
    assert isinstance(error, OperatorError)
    assert error.operators == ["torch._ops.aten.max_unpool2d.default"]
    assert "--builder onnx" in str(error)


def test_a_failure_that_names_no_operator_is_told_as_it_is() -> None:
    error = failure(["", "CUDA out of memory"])
    assert not isinstance(error, OperatorError)
    assert "CUDA out of memory" in str(error)
    assert "it doesn't say why" in str(failure([]))


def test_what_a_library_logs_is_kept_and_its_logger_left_as_it_was() -> None:
    logger = logging.getLogger("some_library.inside")
    logger.propagate = True
    with _logged("some_library") as lines:
        logger.error("Conversion of %s", "aten.foo")
    assert lines == ["Conversion of aten.foo"]
    assert logging.getLogger("some_library").handlers == []
