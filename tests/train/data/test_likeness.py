"""Near-duplicates are linked, strangers are not, however many there are."""

import numpy as np

from train.data.likeness import difference_hash, near_duplicates


def test_a_brighter_twin_is_near_and_a_stranger_is_not() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 200, (2, 64, 160), dtype=np.uint8)
    groups = near_duplicates([first, second, first + np.uint8(20), first])
    assert groups.tolist() == [0, 1, 0, 0]


def test_likeness_is_handed_on_along_a_chain() -> None:
    cells = np.tile(np.arange(33) % 2, (8, 1)).astype(np.uint8) * 100 + 50
    chain = [cells.copy()]
    for row in range(8):
        cells[row] = 200 - cells[row]
        chain.append(cells.copy())
    assert difference_hash(chain[0]).size == 256
    assert near_duplicates(chain, bits=32).tolist() == [0] * 9
    assert near_duplicates(chain, bits=31).tolist() == list(range(9))


def test_sizes_may_differ() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (8, 33), dtype=np.uint8)
    large = np.repeat(np.repeat(small, 5, axis=0), 5, axis=1)
    assert near_duplicates([small, large]).tolist() == [0, 0]


def test_twins_far_apart_in_a_large_set_are_found() -> None:
    rng = np.random.default_rng(0)
    images = list(rng.integers(0, 256, (2500, 8, 33), dtype=np.uint8))
    images[2400] = images[3]
    images[1500] = images[1400]
    groups = near_duplicates(images)
    assert groups[2400] == 3
    assert groups[1500] == 1400
    assert len(np.unique(groups)) == 2498


def test_no_images_make_no_groups() -> None:
    assert near_duplicates([]).size == 0
