"""Class maps by the daemon's own steps, at any size, and pixels counted as by hand."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from edge_daemon.core.defects import DefectClass
from train.data.strips import ClassMap
from train.judging.counting import count_pixels, predict_classes, stride_of

CLASSES = [DefectClass(k, str(k), 0.5, 1000, "minor") for k in range(1, 5)]


@settings(derandomize=True, deadline=None)
@given(
    height=st.integers(17, 400),
    width=st.integers(17, 400),
    power=st.integers(0, 4),
)
def test_the_stride_of_a_cropped_answer_is_found_again(height: int, width: int, power: int) -> None:
    stride = 1 << power
    answer = np.zeros((1, -(-height // stride), -(-width // stride)), np.float32)
    assert stride_of(answer, height_px=height, width_px=width) == stride


def test_small_regions_are_dropped_even_at_the_edge_of_a_strip() -> None:
    probability = np.zeros((4, 64, 400), np.float32)
    probability[0, :2, 10:12] = 0.9
    probability[2, 20:40, 100:140] = 0.9
    predicted = predict_classes(probability, CLASSES, height_px=256, width_px=1600)
    assert set(np.unique(predicted)) == {0, 3}


def test_an_image_of_another_size_gets_a_map_of_its_own_size() -> None:
    probability = np.full((4, 50, 47), 0.1, np.float32)
    probability[1, 30:, 30:] = 0.9
    predicted = predict_classes(probability, CLASSES, height_px=199, width_px=185)
    assert predicted.shape == (199, 185)
    assert predicted[-1, -1] == 2
    assert not predicted[:100].any()


@st.composite
def map_pairs(draw: st.DrawFn) -> tuple[ClassMap, ClassMap]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    truth, predicted = (rng.integers(0, 4, shape, dtype=np.uint8) for _ in range(2))
    return truth, predicted


@settings(derandomize=True, deadline=None)
@given(pairs=st.lists(map_pairs(), min_size=1, max_size=4))
def test_counts_and_dice_are_those_of_the_definition(
    pairs: list[tuple[ClassMap, ClassMap]],
) -> None:
    counts = count_pixels(*zip(*pairs, strict=True), class_count=3)
    for n, (truth, predicted) in enumerate(pairs):
        for k in range(4):
            a, b = truth == k, predicted == k
            found = (counts.truth[n, k], counts.predicted[n, k], counts.common[n, k])
            assert found == (a.sum(), b.sum(), (a & b).sum())
            if k:
                size = a.sum() + b.sum()
                dice = 1.0 if size == 0 else 2 * (a & b).sum() / size
                assert counts.dice()[n, k - 1] == pytest.approx(dice)


def test_a_prediction_of_another_class_is_not_common() -> None:
    truth, predicted = np.full((2, 2), 1, np.uint8), np.full((2, 2), 2, np.uint8)
    counts = count_pixels([truth], [predicted], class_count=4)
    assert counts.common.sum() == 0
    assert counts.dice()[0].tolist() == [0, 0, 1, 1]


def test_joined_counts_are_those_of_all_strips() -> None:
    maps = [np.full((2, 2), k, np.uint8) for k in range(3)]
    whole = count_pixels(maps, maps, class_count=2)
    parts = count_pixels(maps[:1], maps[:1], class_count=2).joined(
        count_pixels(maps[1:], maps[1:], class_count=2)
    )
    assert np.array_equal(whole.truth, parts.truth)
    assert len(parts) == 3
