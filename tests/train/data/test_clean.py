"""Clean strips made of stretches: never a labelled column, nor one close to it."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from train.data.clean import CleanStretches, clean_mosaics
from train.data.strips import DataError, Grey, StripSet


def make_strips(*labelled: list[int], width: int = 100, height: int = 8) -> StripSet:
    """Make strips with labels in these columns; the grey value is 200 there, else the strip's."""
    images, maps = [], []
    for row, columns in enumerate(labelled):
        classes = np.zeros((height + row, width), np.uint8)
        classes[0, columns] = 1
        image = np.full_like(classes, row + 1)
        image[:, columns] = 200
        images.append(image)
        maps.append(classes)
    names = tuple(f"{row}" for row in range(len(labelled)))
    return StripSet(names, tuple(images), tuple(maps), 1)


def test_stretches_keep_a_margin_from_labels_but_not_from_the_ends() -> None:
    strips = make_strips([40, 41], [], [0, 99])
    stretches = CleanStretches.of(strips, length_px=30, margin_px=5).stretches
    assert stretches == ((0, 0, 35), (0, 47, 53), (1, 0, 100), (2, 6, 88))


@settings(deadline=None, derandomize=True)
@given(
    labelled=st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1, max_size=4),
    width=st.integers(1, 150),
    seed=st.integers(0, 99),
)
def test_a_clean_strip_has_no_labelled_pixel(
    labelled: list[list[int]], width: int, seed: int
) -> None:
    stretches = CleanStretches.of(make_strips(*labelled), length_px=20, margin_px=3)
    if len(stretches):
        strip = stretches.strip(np.random.default_rng(seed), width)
        assert strip.shape == (8, width)
        assert (strip < 200).all()


def test_suspects_lend_no_stretch() -> None:
    strips = make_strips([], [])
    doubtful = StripSet(strips.names, strips.images, strips.classes, 1, frozenset({"0"}))
    assert {row for row, *_ in CleanStretches.of(doubtful, length_px=50).stretches} == {1}


def test_each_piece_is_changed_for_itself() -> None:
    stretches = CleanStretches.of(make_strips([]), length_px=50)
    levels = iter((10, 20))

    def change(piece: Grey) -> Grey:
        return np.full_like(piece, next(levels))

    strip = stretches.strip(np.random.default_rng(0), 80, height=4, change=change)
    assert strip.shape == (4, 80)
    assert strip[0, [0, 49, 50, 79]].tolist() == [10, 10, 20, 20]


def test_where_there_is_no_stretch_there_is_no_strip() -> None:
    stretches = CleanStretches.of(make_strips([50]), length_px=60)
    assert len(stretches) == 0
    with pytest.raises(DataError, match="0 defect-free stretches of 60 columns"):
        stretches.strip(np.random.default_rng(0), 100)


def test_mosaics_are_clean_strips_as_wide_as_the_others() -> None:
    strips = make_strips([1850], [], width=1900)
    mosaics = clean_mosaics(strips, count=5, seed=3)
    assert len(mosaics) == 5
    assert mosaics.sizes_hw() == {(8, 1900)}
    assert not mosaics.presence().any()
    again = clean_mosaics(strips, count=5, seed=3)
    assert all(np.array_equal(a, b) for a, b in zip(mosaics.images, again.images, strict=True))
    assert len({image.tobytes() for image in mosaics.images}) > 1


def test_no_mosaics_are_none_and_no_strips_are_an_error() -> None:
    assert len(clean_mosaics(make_strips([]), count=0, seed=1)) == 0
    with pytest.raises(DataError, match="no strips"):
        clean_mosaics(StripSet((), (), (), 1), count=1, seed=1)
