import numpy as np
import pytest

from edge_daemon.simulation.value_noise import Field, Window, value_noise


def noise(
    first_row: int, height: int, *, key: int = 5, layer: int = 1, pitch: float = 7.0
) -> Field:
    window = Window(first_row, height, 120)
    return value_noise(key, layer, window=window, pitch_rows=pitch, pitch_columns=3.0)


@pytest.mark.parametrize("pitch", [1.0, 2.2, 7.0, 400.0])
@pytest.mark.parametrize("first_row", [0, 3, 250, 1_000_003])
def test_a_row_is_the_same_in_whichever_window_it_lies(pitch: float, first_row: int) -> None:
    whole = noise(first_row, 300, pitch=pitch)
    part = noise(first_row + 171, 20, pitch=pitch)
    assert np.allclose(whole[171:191], part, atol=1e-5)


def test_layers_and_keys_are_independent() -> None:
    field = noise(0, 200).ravel()
    for other in (noise(0, 200, layer=2), noise(0, 200, key=6)):
        assert abs(np.corrcoef(field, other.ravel())[0, 1]) < 0.1


def test_values_are_centred_and_of_about_unit_variance() -> None:
    field = noise(0, 2000)
    assert abs(field.mean()) < 0.05
    assert 0.5 < field.std() < 1.1
