"""Classes that are given up are told of, and a bad batch is kept with what it did."""

from pathlib import Path

import numpy as np
import pytest

from tests.train.fitting.conftest import score_of
from train.data.sampling import Batch
from train.fitting.guards import (
    BAD_BATCH,
    CollapseWatch,
    NotFiniteError,
    keep_bad_batch,
    peaks_on_true_strips,
)

NAMES = ("pitting", "inclusion")


def observe(
    watch: CollapseWatch, found: tuple[int, ...], *, peak: float, step: int = 500
) -> tuple[str, ...]:
    return watch.validated(score_of(present=(1, 2, 2), found=found), (0.9, peak), step=step)


def test_a_class_that_is_never_found_is_named_after_three_validations() -> None:
    watch = CollapseWatch(NAMES, after_step=100)
    told = [observe(watch, (1,), peak=0.3) for _ in range(6)]
    assert [len(one) for one in told] == [0, 0, 1, 0, 0, 1]
    assert "class 2 (inclusion) was found on none of its 2" in told[2][0]
    assert "data.class_shares" in told[2][0]


def test_a_class_that_fell_asleep_is_named_sooner() -> None:
    watch = CollapseWatch(NAMES, after_step=100)
    told = [observe(watch, (1,), peak=1e-6) for _ in range(2)]
    assert not told[0]
    assert "highest probability there is 1e-06" in told[1][0]


def test_finding_it_once_begins_the_count_anew() -> None:
    watch = CollapseWatch(NAMES, after_step=100)
    told = [observe(watch, found, peak=0.3) for found in ((1,), (1,), (1, 2), (1,), (1,))]
    assert not any(told)


def test_the_warm_up_and_classes_without_strips_do_not_count() -> None:
    watch = CollapseWatch(NAMES, after_step=100)
    for _ in range(9):
        assert not observe(watch, (), peak=0.0, step=100)
        absent = score_of(present=(1,), found=(1,))
        assert not watch.validated(absent, (0.9, 0.0), step=500)


def test_a_watch_goes_on_from_where_it_was() -> None:
    first, second = (CollapseWatch(NAMES, after_step=100) for _ in range(2))
    for _ in range(2):
        observe(first, (1,), peak=0.3)
    second.load_state_dict(first.state_dict())
    assert observe(second, (1,), peak=0.3)


def test_peaks_are_looked_for_where_the_class_is() -> None:
    first, second = np.zeros((2, 4, 4), np.float32), np.zeros((2, 4, 4), np.float32)
    first[0, 0, 0], first[1, 0, 0] = 0.4, 0.9
    second[0, 0, 0] = 0.8
    with_1, with_2 = np.eye(8, dtype=np.uint8), np.zeros((8, 8), np.uint8)
    peaks = peaks_on_true_strips([first, second], [with_1, with_2], class_count=2)
    assert peaks == pytest.approx((0.4, 0.0))


def test_a_bad_batch_lies_in_the_runs_folder(tmp_path: Path) -> None:
    batch = Batch(np.full((2, 1, 4, 4), 7, np.uint8), np.ones((2, 4, 4), np.uint8))
    error = NotFiniteError("loss", 1, parts={"dice": float("nan"), "focal": 0.5})
    told = str(keep_bad_batch(tmp_path, batch, error, step=42))
    assert "step 42: the loss is not finite" in told
    assert str(tmp_path / BAD_BATCH) in told
    assert "lower optim.encoder_rate" in told
    with np.load(tmp_path / BAD_BATCH) as kept:
        assert (int(kept["step"]), int(kept["micro_batch"])) == (42, 1)
        assert np.array_equal(kept["strips"], batch.strips)
        assert np.array_equal(kept["classes"], batch.classes)
        assert np.isnan(kept["loss/dice"])
        assert kept["loss/focal"] == 0.5
