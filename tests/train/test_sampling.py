"""What a step sees follows from seed and step, and is mixed as configured."""

import numpy as np
import pytest

from edge_daemon.simulation.strips import draw_strip
from train.config import DataConfig, OptimConfig
from train.sampling import Pool, Sampler, simulate_strips
from train.strips import StripSet


def make_strips() -> StripSet:
    """Make one strip per class, with a band of it across the middle third, and one clean strip."""
    classes = np.zeros((5, 256, 1600), np.uint8)
    for row in range(4):
        classes[row, :, 600:1000] = row + 1
    images = np.full(classes.shape, 100, np.uint8)
    return StripSet(tuple("abcde"), images, classes)


@pytest.fixture
def sampler() -> Sampler:
    empty = StripSet((), np.zeros((0, 256, 1600), np.uint8), np.zeros((0, 256, 1600), np.uint8))
    optim = OptimConfig(steps=100, batch=4, crop_width=320, full_width_share=0.25)
    return Sampler(Pool.of(make_strips()), Pool.of(empty), DataConfig(), optim, seed=7)


def test_a_batch_follows_from_its_step(sampler: Sampler) -> None:
    first, again, other = sampler.batch(3), sampler.batch(3), sampler.batch(4)
    assert np.array_equal(first.strips, again.strips)
    assert np.array_equal(first.classes, again.classes)
    assert not np.array_equal(first.strips, other.strips)


def test_the_last_part_of_a_run_sees_whole_strips(sampler: Sampler) -> None:
    assert sampler.batch(74).strips.shape == (4, 1, 256, 320)
    assert sampler.batch(75).strips.shape == (1, 1, 256, 1600)


def test_crops_are_shared_among_the_classes_as_configured(sampler: Sampler) -> None:
    data = DataConfig(
        clean_share=0.0, simulated_share=0.0, class_shares=(0.5, 0.5, 0.0, 0.0), on_defect_share=1.0
    )
    picked = Sampler(sampler.real, sampler.simulated, data, sampler.optim, seed=1)
    seen = [set(np.unique(one)) - {0} for step in range(20) for one in picked.batch(step).classes]
    assert all(classes <= {1, 2} for classes in seen)
    assert 20 < sum(1 in classes for classes in seen) < 60


def test_clean_strips_take_their_share(sampler: Sampler) -> None:
    data = DataConfig(clean_share=1.0, simulated_share=0.0)
    clean = Sampler(sampler.real, sampler.simulated, data, sampler.optim, seed=1)
    assert not any(clean.batch(step).classes.any() for step in range(10))


def test_a_set_without_clean_strips_is_sampled_all_the_same(sampler: Sampler) -> None:
    real = Pool.of(make_strips().named("abcd"))
    data = DataConfig(clean_share=1.0, simulated_share=0.0, on_defect_share=1.0)
    batch = Sampler(real, sampler.simulated, data, sampler.optim, seed=1).batch(0)
    assert batch.classes.any()


def test_simulated_strips_hold_the_share_of_clean_ones() -> None:
    strips = simulate_strips(draw_strip, count=8, clean_share=0.25, seed=3)
    assert int((~strips.presence().any(axis=1)).sum()) == 2
    again = simulate_strips(draw_strip, count=8, clean_share=0.25, seed=3)
    assert np.array_equal(strips.images, again.images)


def test_no_simulated_strips_are_none() -> None:
    assert len(simulate_strips(draw_strip, count=0, clean_share=0.5, seed=3)) == 0
