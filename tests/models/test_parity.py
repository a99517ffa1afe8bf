"""What counts as the same mask."""

import numpy as np
import pytest

from edge_daemon.core.defects import DefectClass
from models.parity import MAX_DIFFERING_SHARE, ExportError, check_parity, parity_strips


def classes(*thresholds: float) -> tuple[DefectClass, ...]:
    return tuple(
        DefectClass(k, f"class-{k}", threshold, 10, "minor")
        for k, threshold in enumerate(thresholds, start=1)
    )


@pytest.mark.parametrize("count", [1, 4, 7])
def test_masks_that_differ_are_no_parity(count: int) -> None:
    expected = np.full((1, count, 64, 400), 0.49, np.float32)
    check_parity(expected, expected + 0.005, classes=classes(*[0.5] * count))
    with pytest.raises(ExportError, match="change sides"):
        check_parity(expected, expected + 0.02, classes=classes(*[0.5] * count))


def test_each_class_has_a_threshold_of_its_own() -> None:
    expected = np.full((1, 2, 64, 400), 0.49, np.float32)
    check_parity(expected, expected + 0.02, classes=classes(0.3, 0.7))
    with pytest.raises(ExportError, match=r"model\.pt2 isn't the network"):
        check_parity(expected, expected + 0.02, classes=classes(0.3, 0.5), what="model.pt2")


def test_a_cell_here_and_there_may_change_sides() -> None:
    expected = np.full((1, 1, 100, 1000), 0.49, np.float32)
    found = expected.copy()
    allowed = int(expected.size * MAX_DIFFERING_SHARE)
    found.flat[:allowed] = 0.51
    check_parity(expected, found, classes=classes(0.5))
    found.flat[: allowed + 1] = 0.51
    with pytest.raises(ExportError, match="change sides"):
        check_parity(expected, found, classes=classes(0.5))


def test_a_probability_that_is_far_off_is_no_parity_even_on_the_same_side() -> None:
    expected = np.full((1, 1, 64, 400), 0.9, np.float32)
    with pytest.raises(ExportError, match=r"largest difference 0\.1"):
        check_parity(expected, expected - 0.1, classes=classes(0.5))


def test_an_answer_that_is_no_number_is_no_parity() -> None:
    expected = np.full((1, 1, 64, 400), 0.1, np.float32)
    with pytest.raises(ExportError, match="nan"):
        check_parity(expected, expected * np.float32("nan"), classes=classes(0.5))


def test_parity_strips_are_the_same_every_time() -> None:
    assert np.array_equal(parity_strips(1), parity_strips(1))
