"""A network that takes no time must still be one that the daemon takes."""

import numpy as np

from edge_daemon.bench.null_network import without_network
from edge_daemon.engine import load_engine


def test_it_finds_nothing_and_gives_its_known_answer() -> None:
    engine = without_network(load_engine(None, device="cpu", threads=1))
    answers = engine.segmenter.segment([np.full((256, 1600), 255, np.uint8)] * 3)
    assert answers.counts.shape == (3, len(engine.bundle.classes))
    assert not answers.counts.any()
    assert answers.fetch(slice(1, 3)).shape == (2, 4, 64, 400)
    assert engine.known_answer.run(engine.segmenter) == 0.0
