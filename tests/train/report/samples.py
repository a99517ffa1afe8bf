"""Runs on disk as `fit`, `tune` and `eval` leave them, but of made-up strips, so that no network
has to be trained: every figure goes through the real functions.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edge_daemon.core.tiling import Probabilities
from train.config import RunConfig
from train.data.split import Split
from train.data.strips import ClassMap
from train.judging.counting import PixelCounts, count_pixels, predict_classes
from train.judging.curves import Curves, image_curves, pixel_curves, strip_figures
from train.judging.figures import Prior
from train.judging.scoring import Score, score
from train.judging.tuning import Fit, OperatingPoint, Tuning
from train.runs import (
    CLEAN_STRETCHES,
    HELD_OUT,
    SIMULATED,
    VALIDATION,
    Measured,
    RunFolder,
    provisional_classes,
)

STRIPS, CLEAN = 24, 8
HEIGHT, WIDTH = 32, 64
RESAMPLES = 50


def write_run(
    folder: Path,
    *,
    skill: float = 0.8,
    settings: Mapping[str, object] | None = None,
    training: int = 80,
    judged: bool = True,
) -> Path:
    """Write a run whose network finds `skill` of each defect."""
    config = RunConfig.model_validate({"imagenet": False} | dict(settings or {}))
    run = RunFolder(folder)
    names = [f"strip-{n:02d}.jpg" for n in range(STRIPS)]
    run.begin(config, Split(tuple(f"train-{n}.jpg" for n in range(training)), tuple(names)))
    (folder / "log.jsonl").write_text("".join(log_lines(config, skill)))
    if judged:
        judge(run, config, names, skill)
    return folder


def log_lines(config: RunConfig, skill: float) -> list[str]:
    lines = []
    for step in range(10, 410, 10):
        done = 1 - np.exp(-step / 100)
        entry: dict[str, float] = {"step": step, "loss": 1 - 0.7 * done, "rate": 1e-3}
        entry |= {"loss/cross_entropy": 0.6 - 0.4 * done, "loss/dice": 0.4 - 0.3 * done}
        if step % 100 == 0:
            entry |= {"validation/dice": 0.7 + 0.2 * done, "validation/dice_positive": skill * done}
            entry |= {"validation/false_alarms": 8 - step // 100}
            for k in range(1, config.network.classes + 1):
                entry |= {f"class_{k}/recall": done / k, f"class_{k}/dice_positive": done / k / 2}
        lines.append(json.dumps(entry) + "\n")
    return lines


def judge(run: RunFolder, config: RunConfig, names: list[str], skill: float) -> None:
    classes = provisional_classes(config.data)
    prior = Prior.of(config.data)
    stretches = [f"clean_stretches-{n}" for n in range(CLEAN)]
    sets = {
        VALIDATION: draw_answers(names, config.network.classes, skill=skill, clean=4),
        CLEAN_STRETCHES: draw_answers(stretches, config.network.classes, skill=skill, clean=CLEAN),
        SIMULATED: draw_answers(names, config.network.classes, skill=skill, clean=12),
    }
    counts = {name: count(*one, classes) for name, one in sets.items()}
    counts[HELD_OUT] = counts[VALIDATION].joined(counts[CLEAN_STRETCHES])
    scores = {name: score(one, prior=prior, resamples=RESAMPLES) for name, one in counts.items()}
    honest = {name: one for name, one in scores.items() if name != SIMULATED}
    run.write_measured(Measured("0" * 64, 400, classes, scores, honest))
    set_names = {VALIDATION: names, CLEAN_STRETCHES: stretches, SIMULATED: names}
    run.write_curves(
        {
            name: curves(set_names[name], sets[name], counts[name], config.data.class_names)
            for name in sets
        }
    )
    run.write_tuning(tuning(run, names, config, scores[HELD_OUT]))


def draw_answers(
    names: list[str], class_count: int, *, skill: float, clean: int
) -> tuple[list[ClassMap], list[Probabilities]]:
    truth, answers = [], []
    for n in range(len(names)):
        place, luck = np.random.default_rng((1, n)), np.random.default_rng((2, n))
        class_map = np.zeros((HEIGHT, WIDTH), np.uint8)
        answer = luck.uniform(0, 0.3, (class_count, HEIGHT // 2, WIDTH // 2)).astype(np.float32)
        top, left = int(place.integers(0, 16)), int(place.integers(0, 40))
        k, moved = n % class_count, int(luck.integers(0, 6))
        is_seen = luck.random() < skill
        if n >= clean:
            class_map[top : top + 12, left : left + 20] = k + 1
        if (n >= clean) == is_seen:
            answer[k, top // 2 : top // 2 + 6, (left + moved) // 2 : (left + moved) // 2 + 10] = 0.9
        truth.append(class_map)
        answers.append(answer)
    return truth, answers


def count(truth: list[ClassMap], answers: list[Probabilities], classes: object) -> PixelCounts:
    predicted = [
        predict_classes(one, classes, height_px=HEIGHT, width_px=WIDTH)  # type: ignore[arg-type]
        for one in answers
    ]
    return count_pixels(truth, predicted, class_count=answers[0].shape[0])


def curves(
    names: list[str],
    answered: tuple[list[ClassMap], list[Probabilities]],
    counts: PixelCounts,
    class_names: tuple[str, ...],
) -> Curves:
    truth, answers = answered
    peaks = np.array([one.max(axis=(1, 2)) for one in answers], np.float64)
    return Curves(
        pixel=pixel_curves(answers, truth, names=class_names),
        image=image_curves(peaks, counts.has_class(), names=class_names),
        strips=strip_figures(names, counts, peaks),
        cross_fitted=strip_figures(names, counts, peaks),
    )


def tuning(run: RunFolder, names: list[str], config: RunConfig, held_out: Score) -> Tuning:
    classes = provisional_classes(config.data)
    points = tuple(
        OperatingPoint(p, 0.4 - p / 4, 0.95 - p / 4, held_out.dice_positive, held_out.dice, ())
        for p in (0.0, 0.5, 1.0)
    )
    fit = Fit(
        objective="alarms",
        budget=0.05,
        price=0.5,
        strips=len(names) + CLEAN,
        clean_strips=CLEAN,
        classes=classes,
        cross_fitted=(classes,) * 5,
        trade_off=points,
        keeps_budget=True,
    )
    groups = {name: n % 5 for n, name in enumerate(names)}
    return Tuning(weights_sha256="0" * 64, step=400, runs=(run.name,), groups=groups, fit=fit)
