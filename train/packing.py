"""Making a bundle of a finished run: provenance, figures and the card."""

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from edge_daemon.inference.bundle import Bundle, Provenance
from models.export import Label, export_bundle
from train.card import write_card
from train.config import RunConfig
from train.runs import RunFolder
from train.scoring import Score
from train.strips import StripSet, load_strips

DATA = "Severstal: Steel Defect Detection (Kaggle, 2019), 1,009 strips of its training part"


def pack(run: RunFolder, folder: Path, *, name: str, version: str, commit: str | None) -> Bundle:
    """Export a run that has been tuned and evaluated.

    Raises:
        RunError: `tune` or `eval` hasn't been run.
        ExportError: the exported network gives other masks.
    """
    config, split = run.config(), run.split()
    network, steps = run.average()
    classes, scores = run.classes(), run.scores()
    training = load_strips(config.data.root).named(split.training)
    provenance = Provenance(
        data=DATA,
        data_fingerprint=fingerprint(training),
        commit=commit or current_commit(),
        seed=config.seed,
        config_sha256=config_sha256(config),
        steps=steps,
        architecture=network.config.model_dump(mode="json"),
    )
    card = write_card(
        name,
        version,
        classes=classes,
        scores=scores,
        provenance=provenance,
        stride=network.config.output_stride,
    )
    label = Label(name, version, classes, provenance, flat_figures(scores), card)
    return export_bundle(network, folder, label=label)


def fingerprint(strips: StripSet) -> str:
    """SHA-256 over the names, grey values and labels of a set, in its order."""
    digest = hashlib.sha256()
    for name, image, classes in zip(strips.names, strips.images, strips.classes, strict=True):
        for part in (name.encode(), image.tobytes(), classes.tobytes()):
            digest.update(part)
    return digest.hexdigest()


def config_sha256(config: RunConfig) -> str:
    """SHA-256 of a run's configuration, without the place of the data on this machine."""
    content = config.model_dump(mode="json")
    del content["data"]["root"]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def current_commit() -> str:
    """The commit of the checkout that this file lies in, or "unknown"."""
    command = ["git", "rev-parse", "HEAD"]
    place = Path(__file__).parent
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=True)  # noqa: S603 - fixed words
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def flat_figures(scores: Mapping[str, Score]) -> dict[str, float]:
    """The manifest's scores: `set/figure` and `set/class_k/figure`."""
    figures: dict[str, float] = {}
    for where, score in scores.items():
        figures |= {
            f"{where}/strips": score.strips,
            f"{where}/dice": score.dice,
            f"{where}/dice_empty": score.dice_empty,
            f"{where}/dice_original_mix": score.dice_original_mix,
            f"{where}/dice_empty_original_mix": score.dice_empty_original_mix,
            f"{where}/dice_positive": score.dice_positive,
            f"{where}/defective": score.defective,
            f"{where}/detected": score.detected,
            f"{where}/clean": score.clean,
            f"{where}/false_alarms": score.false_alarms,
        }
        for number, one in enumerate(score.classes, start=1):
            figures[f"{where}/class_{number}/dice_positive"] = one.dice_positive
            figures[f"{where}/class_{number}/recall"] = one.found / max(1, one.strips)
    return {name: round(value, 4) for name, value in figures.items()}
