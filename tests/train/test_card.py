"""The card says on what, how well, and on whose terms, and nothing that wasn't measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_daemon.inference.manifest import Provenance
from models.config import EncoderUnetConfig, FcnConfig, NetworkConfig, UnetConfig
from train.card import CardFacts, describe_network, write_card
from train.config import RunConfig
from train.data.split import Split
from train.judging.counting import PixelCounts
from train.judging.figures import Prior
from train.judging.scoring import score
from train.judging.tuning import Fit, Tuning
from train.runs import Measured, provisional_classes

CONFIG = RunConfig()
CLASSES = provisional_classes(CONFIG.data)


@pytest.fixture
def facts() -> CardFacts:
    """Three strips: found, missed, and a clean one alarmed on."""
    truth = np.array([[90, 10, 0, 0, 0], [80, 0, 0, 20, 0], [100, 0, 0, 0, 0]])
    predicted = np.array([[90, 10, 0, 0, 0], [100, 0, 0, 0, 0], [70, 0, 0, 0, 30]])
    counts = PixelCounts(truth, predicted, np.minimum(truth, predicted))
    whole = score(counts, prior=Prior.of(CONFIG.data), resamples=20)
    sets = {"validation": whole, "held_out": whole}
    fit = Fit("alarms", 0.05, False, 2.0, 3, 1, CLASSES, (CLASSES,) * 5, ())  # noqa: FBT003 - in order
    return CardFacts(
        name="steel-nano",
        version="9",
        config=CONFIG,
        split=Split(("a.jpg", "b.jpg"), ("c.jpg",)),
        tuning=Tuning("0" * 64, 1234, ("one",), {}, fit),
        measured=Measured("0" * 64, 1234, CLASSES, {**sets, "simulated": whole}, sets),
        provenance=Provenance(
            data="set, 2 strips",
            data_fingerprint="ab" * 32,
            commit="abc",
            seed=3,
            config_sha256="0" * 64,
            steps=1234,
            architecture=CONFIG.network.model_dump(mode="json"),
        ),
        parameters=3_400_000,
        has_severstal=True,
    )


def test_the_card_names_data_terms_and_purpose(facts: CardFacts) -> None:
    card = write_card(facts)
    assert card.startswith("# steel-nano 9\n")
    assert "PAO Severstal" in card
    assert "Kaggle discussion 118403" in card
    assert "A plant trains on its own strips before production" in card
    assert "set, 2 strips" in card
    assert "{" not in card


def test_other_data_do_not_get_severstals_terms(facts: CardFacts) -> None:
    assert "Severstal" not in write_card(replace(facts, has_severstal=False))


def test_the_card_shows_cross_fitted_figures_with_intervals(facts: CardFacts) -> None:
    card = write_card(facts)
    whole = facts.measured.cross_fitted["held_out"]
    interval = whole.intervals["dice_original_mix"]
    cell = f"{whole.dice_original_mix:.3f} ({interval.low:.2f}-{interval.high:.2f})"
    assert f"| Dice on a mix with 53% defective | {cell} | {cell} |" in card
    assert "| 1 pitting | 1 | 1 | 0 | 1.000" in card
    assert "| 3 scratch | 1 | 0 | 0 | 0.000" in card
    assert "| 2 inclusion | 0 | 0 | 0 | - | - |" in card


def test_the_card_says_how_thresholds_were_chosen(facts: CardFacts) -> None:
    assert "at most 5% of clean" in write_card(facts)
    kaggle = replace(facts.tuning.fit, objective="kaggle")
    card = write_card(replace(facts, tuning=replace(facts.tuning, fit=kaggle)))
    assert "make the most of the mean Dice on the stated mix" in card


def test_limits_follow_from_the_figures(facts: CardFacts) -> None:
    card = write_card(facts)
    assert "Only 0 held-out strips have inclusion" in card
    assert "It alarms on 100.0% of clean strips; 5% was asked for." in card
    assert "Most missed: scratch, found on 0 of 1 strips." in card
    assert "below that of predicting nothing" in card


def test_what_the_weights_began_with_is_told(facts: CardFacts) -> None:
    config = CONFIG.model_copy(update={"start": Path("/somewhere/secret/steel-small")})
    card = write_card(replace(facts, config=config))
    assert "Fine-tuned from `steel-small`" in card
    assert "The terms of what it was fine-tuned" in card
    assert "secret" not in card
    assert "ImageNet" not in card


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (EncoderUnetConfig(encoder_stages=6), "efficientnet_lite0 (first 6 stages)"),
        (EncoderUnetConfig(encoder="resnet34"), "encoder resnet34, decoder"),
        (
            UnetConfig(depth=3, upsampling="bed_of_nails"),
            "depth 3, first width 64, upsampling by bed",
        ),
        (FcnConfig(coarsest_stride=16), "FCN-16s"),
    ],
)
def test_every_architecture_is_described(network: NetworkConfig, words: str) -> None:
    assert words in describe_network(network)
