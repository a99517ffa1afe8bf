"""What is refused as no probability, and what is counted."""

from typing import Any

import numpy as np
import pytest

from edge_daemon.errors import EngineError
from edge_daemon.inference.answers import check_probabilities, count_above


def test_cells_are_counted_by_strip_and_class_and_the_threshold_itself_is_not_above() -> None:
    answers = np.zeros((2, 2, 3, 4), np.float32)
    answers[0, 0, 0, :] = 0.5
    answers[1, 1, :2, :] = 0.75
    thresholds = np.array([0.5, 0.25], np.float32)
    assert count_above(answers, thresholds).tolist() == [[0, 0], [0, 8]]


def test_probabilities_pass() -> None:
    check_probabilities(np.array([[0.0, 0.5, 1.0]], np.float32), (1, 3))


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), -1e-6, 1.0 + 1e-6, 7.0]
)
def test_one_value_that_is_no_probability_is_refused(value: float) -> None:
    answers = np.full((2, 2, 4, 5), 0.5, np.float32)
    answers[1, 0, 2, 3] = value
    with pytest.raises(EngineError, match="which is no probability"):
        check_probabilities(answers, answers.shape)


@pytest.mark.parametrize("shape", [(1, 2, 4, 5), (2, 2, 4), (2, 2, 5, 4), (2, 3, 4, 5), ()])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(EngineError, match="instead of float32"):
        check_probabilities(np.full(shape, 0.5, np.float32), (2, 2, 4, 5))


@pytest.mark.parametrize("kind", [np.float64, np.float16, np.int64, np.uint8])
def test_another_type_is_refused(kind: type[np.generic]) -> None:
    answers: Any = np.zeros((1, 3), kind)
    with pytest.raises(EngineError, match="instead of float32"):
        check_probabilities(answers, (1, 3))
