"""Groups keep near-duplicates together and share out every kind of strip."""

import numpy as np

from train.data.strips import StripSet
from train.judging.grouping import GROUPS, deal_groups


def make_strips(count: int, *, twins: int) -> StripSet:
    """Make strips of three kinds; of the first `twins` there is a second, slightly brighter one."""
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 200, (32, 128), dtype=np.uint8) for _ in range(count)]
    images += [image + 3 for image in images[:twins]]
    classes = [np.full((32, 128), n % 3, np.uint8) for n in range(count)]
    classes += classes[:twins]
    names = tuple(f"{n:03d}" for n in range(len(images)))
    return StripSet(names, tuple(images), tuple(classes), class_count=2)


def test_near_duplicates_share_a_group() -> None:
    strips = make_strips(40, twins=10)
    groups = deal_groups(strips, seed=1)
    assert np.array_equal(groups[:10], groups[40:])


def test_each_kind_of_strip_is_spread_evenly() -> None:
    groups = deal_groups(make_strips(60, twins=0), seed=1)
    for kind in range(3):
        sizes = np.bincount(groups[kind::3], minlength=GROUPS)
        assert sizes.max() - sizes.min() <= 1


def test_the_seed_decides_and_nothing_else() -> None:
    strips = make_strips(30, twins=0)
    assert np.array_equal(deal_groups(strips, seed=1), deal_groups(strips, seed=1))
    assert not np.array_equal(deal_groups(strips, seed=1), deal_groups(strips, seed=2))
