"""Making a bundle of a finished run: provenance, figures and the card."""

import hashlib
import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from edge_daemon.inference.bundle import Bundle
from edge_daemon.inference.manifest import Provenance
from models.export import Label, export_bundle
from train.card import CardFacts, write_card
from train.config import RunConfig
from train.data.reading import load_strips
from train.data.strips import StripSet
from train.measuring import check_current
from train.runs import Measured, RunError, RunFolder, weights_sha256

SEVERSTAL = "Severstal: Steel Defect Detection (Kaggle, 2019)"
SEVERSTAL_NAME = re.compile(r"[0-9a-f]{9}\.(jpg|jpeg|png)")
DIGITS = 4
"""Of the manifest's scores: more would only look exact."""


def pack(run: RunFolder, folder: Path, *, name: str, version: str, commit: str | None) -> Bundle:
    """Export a run that has been tuned and evaluated with its present weights.

    Raises:
        RunError: `tune` or `eval` hasn't been run, or not since the weights or thresholds changed.
        ExportError: the exported network gives other masks.
    """
    config, split = run.config(), run.split()
    network, steps = run.average()
    tuning, measured = run.tuning(), run.measured()
    present = weights_sha256(network)
    check_current(run, tuning.weights_sha256, present, verb="tune")
    check_current(run, measured.weights_sha256, present, verb="eval")
    if measured.classes != tuning.fit.classes:
        raise RunError(
            f"{run.path}: thresholds were fitted anew after they were measured; run `python -m "
            f"train eval {run.path}` again"
        )
    strips = load_strips(config.data.root, class_count=config.network.classes)
    training = strips.named(split.training)
    provenance = Provenance(
        data=data_name(config.data.root, training),
        data_fingerprint=fingerprint(training),
        commit=commit or current_commit(),
        seed=config.seed,
        config_sha256=config_sha256(config),
        steps=steps,
        architecture=network.config.model_dump(mode="json"),
    )
    facts = CardFacts(
        name=name,
        version=version,
        config=config,
        split=split,
        tuning=tuning,
        measured=measured,
        provenance=provenance,
        parameters=sum(weight.numel() for weight in network.parameters()),
        has_severstal=has_severstal(training.names),
    )
    label = Label(
        name, version, tuning.fit.classes, provenance, manifest_scores(measured), write_card(facts)
    )
    return export_bundle(network, folder, label=label)


def data_name(root: Path, strips: StripSet) -> str:
    """What was trained on, for the manifest."""
    if has_severstal(strips.names):
        return f"{SEVERSTAL}, {len(strips)} strips of its training part"
    return f"{root.resolve().name}, {len(strips)} strips"


def has_severstal(names: Sequence[str]) -> bool:
    """Whether any strip is named as Severstal's are, by nine hex digits: then its terms hold."""
    return any(SEVERSTAL_NAME.fullmatch(name) for name in names)


def fingerprint(strips: StripSet) -> str:
    """SHA-256 over the names, sizes, grey values and labels of a set, in its order."""
    digest = hashlib.sha256()
    for name, image, classes in zip(strips.names, strips.images, strips.classes, strict=True):
        for part in (f"{name} {image.shape}".encode(), image.tobytes(), classes.tobytes()):
            digest.update(part)
    return digest.hexdigest()


def config_sha256(config: RunConfig) -> str:
    """SHA-256 of a run's configuration, the same on every machine.

    Of paths only the last part counts, of the data's not even that: strips have a fingerprint.
    """
    content = config.model_dump(mode="json")
    del content["data"]["root"]
    for key, path in (("start", config.start), ("teacher", config.teacher)):
        content[key] = None if path is None else path.name
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


def manifest_scores(measured: Measured) -> dict[str, float]:
    """The manifest's scores: `fitted/SET/figure` and, what to expect, `cross_fitted/SET/figure`.

    `train.judging.scoring` says what the figures are.
    """
    kinds = {"cross_fitted": measured.cross_fitted, "fitted": measured.fitted}
    return {
        f"{kind}/{where}/{name}": round(value, DIGITS)
        for kind, sets in kinds.items()
        for where, score in sets.items()
        for name, value in score.figures().items()
    }
