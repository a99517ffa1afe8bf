"""Tuning and judging runs and bundles, on strips that they were not trained on.

Thresholds have to be fitted on held-out strips, and figures measured on the same strips then
flatter. So everything is measured twice: with the thresholds that go into the bundle, and
cross-fitted, where each strip is judged with thresholds fitted on the other groups of strips. The
second is what to expect of strips that nobody has seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import Probabilities
from edge_daemon.inference.bundle import load_bundle
from models.parity import run_onnx
from train.config import RunConfig
from train.data.simulated import Draw
from train.data.strips import StripSet
from train.heldout import HeldOut, Tell, answers, held_out, simulated_set
from train.judging.counting import PixelCounts, count_pixels, predict_classes
from train.judging.curves import Curves, image_curves, pixel_curves, strip_figures
from train.judging.figures import Prior
from train.judging.intervals import RESAMPLES
from train.judging.scoring import Score, score
from train.judging.settings import Objective
from train.judging.trials import Trials, try_settings
from train.judging.tuning import Tuning, tune
from train.judging.validation import peaks
from train.runs import (
    CLEAN_STRETCHES,
    HELD_OUT,
    VALIDATION,
    Measured,
    RunError,
    RunFolder,
    provisional_classes,
    weights_sha256,
)

Classes = tuple[DefectClass, ...]


@dataclass(frozen=True, slots=True)
class _Part:
    """What one run brings to the fit."""

    run: RunFolder
    weights: str
    step: int
    groups: dict[str, int]
    trials: Trials


@dataclass(frozen=True, slots=True)
class _Judged:
    """What came of one set of strips."""

    counts: PixelCounts
    peaks: NDArray[np.float64]

    def joined(self, other: "_Judged") -> "_Judged":
        return _Judged(self.counts.joined(other.counts), np.concatenate([self.peaks, other.peaks]))


def tune_runs(
    runs: Sequence[RunFolder], *, objective: Objective, budget: float, tell: Tell
) -> Tuning:
    """Fit thresholds and areas on the held-out strips of one run or of several folds together.

    They are kept with each of the runs.

    Args:
        runs: with the same classes, holding out different strips.
        objective: what to make the most of; see `train.judging.tuning`.
        budget: share of clean strips that may be alarmed on, for objective `alarms`.
        tell: hears what is being done.

    Raises:
        RunError: a run isn't ready, or two don't go together.
    """
    config = runs[0].config()
    for run in runs[1:]:
        _check_alike(run, run.config(), config)
    parts = [_part(run, tell=tell) for run in runs]
    names = [name for part in parts for name in part.groups if not name.startswith(CLEAN_STRETCHES)]
    if len(set(names)) < len(names):
        raise RunError(
            "two of the runs hold out the same strip: tune runs together only if they are folds of "
            "one split, each with its own data.fold"
        )
    tell("fitting thresholds and areas")
    fit = tune(
        Trials.joined([part.trials for part in parts]),
        np.array([group for part in parts for group in part.groups.values()], np.int64),
        provisional_classes(config.data),
        prior=Prior.of(config.data),
        objective=objective,
        budget=budget,
    )
    tuned = tuple(run.name for run in runs)
    tunings = [Tuning(part.weights, part.step, tuned, part.groups, fit) for part in parts]
    for part, tuning in zip(parts, tunings, strict=True):
        part.run.write_tuning(tuning)
    return tunings[0]


def judge_run(run: RunFolder, draw: Draw, *, simulated: int, tell: Tell) -> Measured:
    """Measure a run with its fitted classes, and keep figures and curves with it.

    Args:
        run: fitted and tuned.
        draw: draws a simulated strip.
        simulated: how many to judge on.
        tell: hears what is being done.

    Raises:
        RunError: the run isn't tuned, or was tuned with other weights or strips.
    """
    config, tuning = run.config(), run.tuning()
    network, step = run.average()
    check_current(run, tuning.weights_sha256, weights_sha256(network), verb="tune")
    strips = held_out(run)
    fitted: dict[str, _Judged] = {}
    crossed: dict[str, _Judged] = {}
    curves: dict[str, Curves] = {}
    sets = {**strips.sets, **simulated_set(config, draw, count=simulated)}
    for name, one in sets.items():
        found = answers(run, network, name, one, tell=tell)
        tell(f"{name}: measuring")
        fitted[name] = _judge(found, one, [tuning.fit.classes] * len(one))
        if name in strips.groups:
            crossed[name] = _judge(found, one, _fair_classes(run, tuning, one))
        curves[name] = _curves(found, one, config, own=fitted[name], crossed=crossed.get(name))
    measured = Measured(
        weights_sha256=tuning.weights_sha256,
        step=step,
        classes=tuning.fit.classes,
        fitted=_scores(fitted, config),
        cross_fitted=_scores(crossed, config),
    )
    run.write_measured(measured)
    run.write_curves(curves)
    return measured


def judge_bundle(
    folder: Path, run: RunFolder, draw: Draw, *, simulated: int, tell: Tell
) -> dict[str, Score]:
    """Measure a bundle as the daemon would run it on a CPU, with the bundle's own classes.

    Args:
        folder: the bundle's.
        run: whose held-out strips to take; the bundle must not have been trained on them.
        draw: draws a simulated strip.
        simulated: how many to judge on.
        tell: hears what is being done.

    Raises:
        BundleError: the bundle is not whole.
        RunError: the run's strips are not of the bundle's size.
    """
    bundle, config = load_bundle(folder), run.config()
    shape = bundle.manifest.input.shape[2:]
    judged: dict[str, _Judged] = {}
    sets = {**held_out(run).sets, **simulated_set(config, draw, count=simulated)}
    for name, one in sets.items():
        if sizes := one.sizes_hw() - {shape}:
            raise RunError(f"{folder} takes strips of {shape}, {name} has some of {min(sizes)}")
        tell(f"{name}: {len(one)} strips go through the bundle")
        if len(one):
            found = list(run_onnx(bundle.onnx_path, np.stack(one.images)[:, None]))
            judged[name] = _judge(found, one, [bundle.classes] * len(one))
    return _scores(judged, config)


def check_current(run: RunFolder, found_with: str, present: str, *, verb: str) -> None:
    """Refuse what was found with other weights than the run's present ones.

    Raises:
        RunError: with the verb that finds it again.
    """
    if found_with != present:
        raise RunError(
            f"{run.path}: the last `{verb}` was done with other weights than those of the present "
            f"checkpoint; run `python -m train {verb} {run.path}` again"
        )


def _check_alike(run: RunFolder, config: RunConfig, first: RunConfig) -> None:
    same = ("class_names", "severities", "class_priors", "defective_prior")
    for name in same:
        if getattr(config.data, name) != getattr(first.data, name):
            raise RunError(f"{run.path}: data.{name} isn't that of the first run")


def _part(run: RunFolder, *, tell: Tell) -> _Part:
    network, step = run.average()
    strips = held_out(run)
    found: list[Probabilities] = []
    for name, one in strips.sets.items():
        found += answers(run, network, name, one, tell=tell)
    truth = [class_map for one in strips.sets.values() for class_map in one.classes]
    class_count = network.config.classes
    return _Part(
        run=run,
        weights=weights_sha256(network),
        step=step,
        groups=_groups_by_name(strips),
        trials=try_settings(found, truth, class_count=class_count, tell=tell),
    )


def _groups_by_name(strips: HeldOut) -> dict[str, int]:
    return {
        strip: group
        for name, one in strips.sets.items()
        for strip, group in zip(one.names, strips.groups[name].tolist(), strict=True)
    }


def _fair_classes(run: RunFolder, tuning: Tuning, strips: StripSet) -> list[Classes]:
    """For each strip, the classes that were fitted without it."""
    missing = [name for name in strips.names if name not in tuning.groups]
    if missing:
        raise RunError(
            f"{run.path}: tuned on other strips than are held out now ({missing[0]} is new); run "
            f"`python -m train tune {run.path}` again"
        )
    return [tuning.fit.cross_fitted[tuning.groups[name]] for name in strips.names]


def _judge(found: Sequence[Probabilities], strips: StripSet, classes: Sequence[Classes]) -> _Judged:
    """Count what the daemon would make of the answers, each with its own classes."""
    predicted = (
        predict_classes(one, own, height_px=image.shape[0], width_px=image.shape[1])
        for one, own, image in zip(found, classes, strips.images, strict=True)
    )
    count = strips.class_count
    return _Judged(
        counts=count_pixels(strips.classes, predicted, class_count=count),
        peaks=peaks(found, class_count=count),
    )


def _scores(judged: Mapping[str, _Judged], config: RunConfig) -> dict[str, Score]:
    """Figures of each set, and of the two held-out ones together."""
    both = dict(judged)
    if VALIDATION in judged and CLEAN_STRETCHES in judged:
        both[HELD_OUT] = judged[VALIDATION].joined(judged[CLEAN_STRETCHES])
    return {
        name: score(
            one.counts,
            prior=Prior.of(config.data),
            peaks=one.peaks,
            resamples=RESAMPLES,
            seed=config.seed,
        )
        for name, one in both.items()
    }


def _curves(
    found: Sequence[Probabilities],
    strips: StripSet,
    config: RunConfig,
    *,
    own: _Judged,
    crossed: _Judged | None,
) -> Curves:
    names = config.data.class_names
    return Curves(
        pixel=pixel_curves(found, strips.classes, names=names),
        image=image_curves(own.peaks, own.counts.has_class(), names=names),
        strips=strip_figures(strips.names, own.counts, own.peaks),
        cross_fitted=(
            () if crossed is None else strip_figures(strips.names, crossed.counts, crossed.peaks)
        ),
    )
