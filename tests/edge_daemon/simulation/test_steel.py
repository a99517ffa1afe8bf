from dataclasses import replace

import numpy as np
import pytest

from edge_daemon.simulation.steel import Steel, draw_steel, expose, render_steel
from edge_daemon.simulation.value_noise import Window


def steel(seed: int = 1) -> Steel:
    whole = draw_steel(np.random.default_rng(seed), width=400)
    return replace(whole, left_edge=-1e6, right_edge=1e6)


@pytest.mark.parametrize("seed", range(5))
def test_two_frames_join_to_the_picture_of_both(seed: int) -> None:
    piece = draw_steel(np.random.default_rng(seed), width=400)
    whole, on_steel = render_steel(piece, Window(0, 128, 400))
    lower, lower_on_steel = render_steel(piece, Window(64, 64, 400))
    assert np.allclose(whole[64:], lower, atol=1e-3)
    assert np.array_equal(on_steel[64:], lower_on_steel)


def test_texture_is_still_there_after_many_kilometres() -> None:
    rippled = replace(steel(), ripple=0.1, ripple_pitch=6.0, is_checker_plate=True)
    near, _ = render_steel(rippled, Window(0, 64, 400))
    far, _ = render_steel(rippled, Window(60_000_000, 64, 400))
    row_step_near, row_step_far = (np.abs(np.diff(x, axis=0)).mean() for x in (near, far))
    assert 0.5 < row_step_far / row_step_near < 2


def test_texture_runs_along_the_rolling_direction() -> None:
    streaky = replace(steel(), streaks=0.05, grain=0.02, ripple=0.0, sparkle=0.0, mottle=0.0)
    levels, _ = render_steel(streaky, Window(0, 128, 400))
    along, across = (np.abs(np.diff(levels, axis=axis)).mean() for axis in (0, 1))
    assert across > 1.3 * along


def test_beside_the_strip_the_picture_is_black() -> None:
    piece = replace(steel(), left_edge=150.0)
    window = Window(0, 64, 400)
    levels, on_steel = render_steel(piece, window)
    image = expose(piece, window, levels)
    assert image[:, :130].max() < 8
    assert image[:, 170:].mean() > 25
    assert not on_steel[:, :130].any()
    assert on_steel[:, 170:].all()


def test_a_whole_strip_has_no_edge() -> None:
    _, on_steel = render_steel(steel(), Window(0, 64, 400))
    assert on_steel.all()
