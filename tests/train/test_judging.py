"""No simulated strip is met in two of training, tuning and judging."""

import numpy as np

from edge_daemon.simulation.strips import draw_strip
from train.judging import JUDGING_SEED, TUNING_SEED
from train.sampling import simulate_strips


def test_training_tuning_and_judging_draw_different_strips() -> None:
    sets = [
        simulate_strips(draw_strip, count=3, clean_share=0.4, seed=1 + offset)
        for offset in (0, TUNING_SEED, JUDGING_SEED)
    ]
    seen = {image.tobytes() for strips in sets for image in strips.images}
    assert len(seen) == 9
    assert np.concatenate([strips.images for strips in sets]).shape[0] == 9
