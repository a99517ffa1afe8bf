"""What crops are picked for: as configured, else as near to it as the strips allow, and told."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from train.config import DataConfig
from train.data.clean import CleanStretches
from train.data.mixing import Mix, Pool, mix_notes, plan_mix
from train.data.strips import DataError, StripSet


def make_strips(kinds: list[int]) -> StripSet:
    """Make one strip per kind: the class in its first columns, 0 for clean."""
    classes = [np.zeros((4, 100), np.uint8) for _ in kinds]
    for kind, one in zip(kinds, classes, strict=True):
        one[:, :10] = kind
    images = tuple(np.full((4, 100), 80, np.uint8) for _ in kinds)
    return StripSet(tuple(f"{n}" for n in range(len(kinds))), images, tuple(classes), 3)


def plan(
    data: DataConfig, kinds: list[int], *, simulated: int = 2, length_px: int = 50
) -> tuple[Mix, tuple[str, ...]]:
    strips = make_strips(kinds)
    real, drawn = Pool.of(strips), Pool.of(make_strips([1, 2, 3][:simulated]))
    defective = strips.rows([row for row, kind in enumerate(kinds) if kind])
    stretches = CleanStretches.of(defective, length_px=length_px)
    mix = plan_mix(data, real, drawn, stretches)
    return mix, mix_notes(data, real, drawn, mix)


DATA = DataConfig(simulated_share=0.2, clean_share=0.4, clean_window_share=0.25)
MANY = [0, 1, 2, 3] * 10


def test_where_everything_is_there_the_mix_is_as_configured() -> None:
    mix, notes = plan(DATA, MANY)
    assert (mix.simulated, mix.clean_strips) == pytest.approx((0.2, 0.3))
    assert (mix.clean_windows, mix.defects) == pytest.approx((0.1, 0.4))
    assert notes == ()


def test_without_clean_strips_stretches_stand_in() -> None:
    mix, notes = plan(DATA, [1, 2, 3] * 10)
    assert (mix.clean_strips, mix.clean_windows) == pytest.approx((0.0, 0.4))
    assert notes == ("no strip is free of defects: clean crops are put together from stretches",)


def test_without_stretches_clean_strips_stand_in() -> None:
    mix, notes = plan(DATA, MANY, length_px=95)
    assert (mix.clean_strips, mix.clean_windows) == pytest.approx((0.4, 0.0))
    assert notes == ()


def test_without_anything_clean_the_rest_shares_alike() -> None:
    mix, notes = plan(DATA, [1, 2, 3] * 10, length_px=95)
    assert (mix.simulated, mix.defects) == pytest.approx((1 / 3, 2 / 3))
    assert notes == ("no strip and no stretch is free of defects: expect many false alarms",)


def test_without_simulated_strips_the_rest_shares_alike() -> None:
    mix, notes = plan(DATA, MANY, simulated=0)
    assert mix.simulated == 0
    assert mix.defects == pytest.approx(0.5)
    assert notes == ("there are no simulated strips: their share goes to real ones",)


def test_clean_strips_alone_can_be_trained_on() -> None:
    mix, notes = plan(DATA, [0, 0], simulated=0)
    assert (mix.clean_strips, mix.defects) == (1.0, 0.0)
    assert "no real strip with defects is trained on" in notes


def test_where_nothing_is_left_it_is_an_error() -> None:
    config = DataConfig(simulated_share=0.0, clean_share=1.0)
    with pytest.raises(DataError, match="of 2 strips 0 are clean"):
        plan(config, [1, 2], length_px=95)


def test_rare_and_missing_classes_are_told() -> None:
    _, notes = plan(DATA, [0, 1] * 10 + [2], simulated=0)
    assert notes[1:] == (
        "class 2 is on 1 strips only: they come again and again",
        "class 3 is on no strip: it can't be learned",
    )


@settings(deadline=None, derandomize=True)
@given(
    kinds=st.lists(st.integers(0, 3), min_size=1, max_size=8),
    simulated_share=st.floats(0, 1),
    clean_share=st.floats(0, 1),
    windows=st.floats(0, 1),
    simulated=st.integers(0, 3),
)
def test_shares_add_up_to_one_and_none_goes_to_what_is_not_there(
    *,
    kinds: list[int],
    simulated_share: float,
    clean_share: float,
    windows: float,
    simulated: int,
) -> None:
    data = DataConfig(
        simulated_share=simulated_share, clean_share=clean_share, clean_window_share=windows
    )
    try:
        mix, _ = plan(data, kinds, simulated=simulated)
    except DataError:
        return
    shares = (mix.simulated, mix.clean_strips, mix.clean_windows, mix.defects)
    assert sum(shares) == pytest.approx(1)
    assert min(shares) >= 0
    assert simulated or not mix.simulated
    assert 0 in kinds or not mix.clean_strips
    assert any(kinds) or not mix.defects + mix.clean_windows
    assert mix.pick(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ((), (0.5, 0.5, 0.0)),
        ((1.0, 3.0, 4.0), (0.25, 0.75, 0.0)),
        ((0.0, 0.0, 1.0), (0.5, 0.5, 0.0)),
    ],
    ids=["evenly", "as configured", "only for what is not there"],
)
def test_classes_share_as_configured_among_those_that_are_there(
    shares: tuple[float, ...], expected: tuple[float, ...]
) -> None:
    pool = Pool.of(make_strips([0, 1, 1, 2]), class_shares=shares)
    assert pool.class_shares.tolist() == pytest.approx(expected)
    picked = {pool.pick(np.random.default_rng(seed), clean=False) for seed in range(50)}
    assert picked == {(1, 1), (2, 1), (3, 2)}
    assert pool.pick(np.random.default_rng(0), clean=True) == (0, 0)
