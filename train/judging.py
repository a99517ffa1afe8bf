"""Tuning and judging a network, on strips that it was not trained on."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_daemon.core.defects import DefectClass
from edge_daemon.inference.bundle import load_bundle
from models.export import run_onnx
from train.runs import SIMULATED, VALIDATION, RunFolder, provisional_classes
from train.sampling import Draw, simulate_strips
from train.scoring import Score
from train.strips import StripSet, load_strips
from train.tuning import TuningSet, tune
from train.validation import predict, score_strips

SIMULATED_CLEAN_SHARE = 0.5
TUNING_SEED = 100_000
JUDGING_SEED = 200_000
"""Added to a run's seed: no simulated strip is met in two of training, tuning and judging."""


def tune_run(
    run: RunFolder, draw: Draw, *, simulated: int, caution: float
) -> tuple[DefectClass, ...]:
    """Fit a run's classes on held-out and on simulated clean strips, and keep them with the run."""
    config = run.config()
    network, _ = run.average()
    real = load_strips(config.data.root).named(run.split().validation)
    clean = simulate_strips(draw, count=simulated, clean_share=1.0, seed=config.seed + TUNING_SEED)
    strips = TuningSet(
        probabilities=np.concatenate([predict(network, one.images) for one in (real, clean)]),
        truth=np.concatenate([real.classes, clean.classes]),
        is_simulated=np.repeat([False, True], [len(real), len(clean)]),
    )
    tuned = tune(strips, provisional_classes(), caution=caution)
    run.write_classes(tuned)
    return tuned


def judge_run(run: RunFolder, draw: Draw, *, simulated: int) -> dict[str, Score]:
    """Measure a run with its fitted classes, and keep the figures with it."""
    network, _ = run.average()
    classes = run.classes()
    scores = {
        name: score_strips(predict(network, strips.images), strips.classes, classes)
        for name, strips in judging_sets(run, draw, simulated=simulated).items()
    }
    run.write_scores(scores)
    return scores


def judge_bundle(folder: Path, sets: Mapping[str, StripSet]) -> dict[str, Score]:
    """Measure a bundle as the daemon would run it on a CPU, with the bundle's own classes.

    Raises:
        BundleError: the bundle is not whole.
    """
    bundle = load_bundle(folder)
    return {
        name: score_strips(
            run_onnx(bundle.onnx_path, strips.images[:, None]),
            strips.classes,
            bundle.classes,
        )
        for name, strips in sets.items()
    }


def judging_sets(run: RunFolder, draw: Draw, *, simulated: int) -> dict[str, StripSet]:
    """The held-out real strips of a run, and simulated ones, half of them clean."""
    config = run.config()
    return {
        VALIDATION: load_strips(config.data.root).named(run.split().validation),
        SIMULATED: simulate_strips(
            draw,
            count=simulated,
            clean_share=SIMULATED_CLEAN_SHARE,
            seed=config.seed + JUDGING_SEED,
        ),
    }
