"""The card says on what, how well, and on whose terms."""

import numpy as np

from edge_daemon.inference.bundle import Provenance
from models.architecture import NetworkConfig
from train.card import write_card
from train.runs import provisional_classes
from train.scoring import PixelCounts, score


def test_the_card_names_data_terms_limits_and_counts() -> None:
    truth = np.array([[10, 0, 0, 0], [0, 0, 20, 0], [0, 0, 0, 0]])
    predicted = np.array([[10, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 30]])
    figures = score(PixelCounts(truth, predicted, np.minimum(truth, predicted)))
    provenance = Provenance(
        data="set",
        data_fingerprint="ab" * 32,
        commit="abc",
        seed=3,
        config_sha256="0" * 64,
        steps=1234,
        architecture=NetworkConfig().model_dump(mode="json"),
    )
    card = write_card(
        "steel-nano",
        "9",
        classes=provisional_classes(),
        scores={"validation": figures, "simulated": figures},
        provenance=provenance,
        stride=4,
    )
    assert card.startswith("# steel-nano 9\n")
    assert "PAO Severstal" in card
    assert "A plant trains on its own strips before production" in card
    assert "efficientnet_lite0" in card
    assert "| 1 pitting | 1 | 1 | 0 | 1.000 |" in card
    assert "| 3 scratch | 1 | 0 | 0 | 0.000 |" in card
    assert "**1\nof 1**" in card or "**1 of 1**" in card
    assert "{" not in card
