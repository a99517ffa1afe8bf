"""The card of a bundle: what it was trained on, how well it does and on what, limits, terms.

Every number on it is measured or counted; nothing is said of a figure that wasn't taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.tiling import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from edge_daemon.inference.manifest import Provenance
from models.config import EncoderUnetConfig, NetworkConfig, UnetConfig
from train.config import RunConfig
from train.data.split import Split
from train.judging.intervals import Interval
from train.judging.scoring import ClassScore, Score
from train.judging.tuning import Fit, Tuning
from train.runs import HELD_OUT, SIMULATED, VALIDATION, Measured

FEW_STRIPS = 30
"""Below so many strips with a class, its figures are called uncertain."""

_TERMS = """\
The images and masks belong to PAO Severstal. The owner's statement in Kaggle discussion 118403
(quoted in the LICENSE.md of dataset-ninja/severstal-steel-defect-detection) allows use in
research, limited only by applicable law. The competition's own rules apply too. No image or mask
of the set is part of this bundle; the known-answer strip is simulated.

Cite: Grishin, BorisV, iBardintsev, inversion, Oleg. *Severstal: Steel Defect Detection.* Kaggle,
2019."""


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that the card is written from.

    Attributes:
        name: of the bundle.
        version: of the bundle.
        config: of the run.
        split: its strips.
        tuning: how its thresholds were found.
        measured: its figures.
        provenance: what the manifest says.
        parameters: weights of the network.
        has_severstal: strips of Severstal's set are among those that it was trained on.
    """

    name: str
    version: str
    config: RunConfig
    split: Split
    tuning: Tuning
    measured: Measured
    provenance: Provenance
    parameters: int
    has_severstal: bool


def write_card(facts: CardFacts) -> str:
    """Markdown text of `card.md`."""
    limits = "\n".join(f"- {line}" for line in _limits(facts))
    return f"""\
# {facts.name} {facts.version}

{_opening(facts)}

## Network
{_network(facts)}

## Classes
{_classes(facts.tuning.fit)}

## Data
{_data(facts)}

## Figures
{_figures(facts)}

## Limits
{limits}
"""


def _opening(facts: CardFacts) -> str:
    count = len(facts.measured.classes)
    return (
        f"Finds {count} {'class' if count == 1 else 'classes'} of surface defects on steel strip. "
        f"It takes 8-bit grey strips of {STRIP_HEIGHT_PX} rows\nand {STRIP_WIDTH_PX} columns and "
        "gives, for each class, a probability on a grid of stride "
        f"{facts.config.network.output_stride}.\n\n"
        "**For research and demonstration. A plant trains on its own strips before production**: "
        "steel,\nlight and camera differ, and so will the figures below."
    )


def _network(facts: CardFacts) -> str:
    config, provenance = facts.config, facts.provenance
    network = config.network
    lines = [describe_network(network), f"{facts.parameters / 1e6:.2f} million weights."]
    if network.input_downsample > 1:
        lines.append(f"Strips are averaged down by {network.input_downsample} inside the graph.")
    if network.image_head:
        lines.append("An image-level head damps each class that it sees nowhere on the strip.")
    lines.append(
        f"{provenance.steps} optimiser steps, seed {provenance.seed}, weights averaged over steps."
    )
    if config.start is not None:
        lines.append(f"Fine-tuned from `{config.start.name}`.")
    elif config.imagenet and isinstance(network, EncoderUnetConfig):
        lines.append(
            "The encoder began with ImageNet weights, its stem summed to one grey channel."
        )
    if config.teacher is not None:
        lines.append(f"Distilled from `{config.teacher.name}`.")
    lines.append(f"Commit: `{provenance.commit}`. Config: `{provenance.config_sha256[:16]}`.")
    return "\n".join(lines)


def describe_network(network: NetworkConfig) -> str:
    """What it is, in a sentence."""
    if isinstance(network, EncoderUnetConfig):
        widths = ", ".join(map(str, network.decoder_channels))
        stages = f" (first {network.encoder_stages} stages)" if _is_cut(network) else ""
        return f"U-Net on encoder {network.encoder}{stages}, decoder channels {widths}."
    if isinstance(network, UnetConfig):
        name = f"U-Net (Ronneberger et al., 2015) of depth {network.depth}"
    else:
        name = f"FCN-{network.coarsest_stride}s (Long et al., 2015)"
    return (
        f"{name}, first width {network.width}, upsampling by {network.upsampling}, activation "
        f"{network.activation}, {'with' if network.batch_norm else 'without'} batch normalisation, "
        f"dropout {network.dropout:g}."
    )


def _is_cut(network: EncoderUnetConfig) -> bool:
    """Whether the encoder lacks stages that it has as published."""
    return network.encoder_stages < int(EncoderUnetConfig.model_fields["encoder_stages"].default)


def _classes(fit: Fit) -> str:
    rows = "\n".join(map(_class_row, fit.classes))
    return f"""\
{_how_fitted(fit)}

| id | name | threshold | minimum area, px | severity |
|---|---|---|---|---|
{rows}"""


def _how_fitted(fit: Fit) -> str:
    on = f"{fit.strips} strips that were not trained on, {fit.clean_strips} of them clean"
    if fit.objective == "kaggle":
        return f"Thresholds and areas make the most of the mean Dice on the stated mix, on {on}."
    return (
        "Thresholds and areas make the most of the outlines of defective strips while at most "
        f"{fit.budget:.0%} of clean\nstrips are alarmed on (price of an alarm: {fit.price:.3g}), "
        f"on {on}."
    )


def _class_row(one: DefectClass) -> str:
    return f"| {one.id} | {one.name} | {one.threshold:.2f} | {one.min_area_px} | {one.severity} |"


def _data(facts: CardFacts) -> str:
    config, split = facts.config, facts.split
    lines = [
        f"Trained on {facts.provenance.data}.",
        f"{len(split.validation)} more were held out, near-duplicates kept on one side.",
    ]
    if config.data.simulated_strips and config.data.simulated_share:
        lines.append(
            f"{config.data.simulated_share:.0%} of what it saw was simulated "
            f"({config.data.simulated_strips} strips drawn by this project)."
        )
    lines.append(f"Fingerprint of what was trained on: `{facts.provenance.data_fingerprint[:16]}`.")
    if facts.has_severstal:
        lines.append(
            "The set numbers its classes without naming them; the names are this project's."
        )
        lines.append(f"\n{_TERMS}")
    if config.start is not None or config.teacher is not None:
        lines.append("\nThe terms of what it was fine-tuned or distilled from hold as well.")
    return "\n".join(lines)


def _figures(facts: CardFacts) -> str:
    honest, own = facts.measured.cross_fitted, facts.measured.fitted
    tables = [
        _WHAT,
        _headline(honest, own),
        f"### By class\nReal held-out strips ({honest[VALIDATION].strips}), cross-fitted.\n\n"
        + _class_table(facts.measured.classes, honest[VALIDATION]),
    ]
    if SIMULATED in own:
        simulated = own[SIMULATED]
        tables.append(
            f"### Simulated strips\n{simulated.strips} fresh strips of this project's simulator, "
            "many with marks that only look like defects.\nDefective strips with any report: "
            f"{simulated.detected} of {simulated.defective}; clean strips alarmed on: "
            f"{simulated.false_alarms} of {simulated.clean}.\n\n"
            + _class_table(facts.measured.classes, simulated)
        )
    return "\n\n".join(tables)


_WHAT = """\
All on strips that were not trained on. *Cross-fitted*: each strip is judged with thresholds that
were fitted on other strips; this is what to expect. *Own*: with the thresholds above, which were
fitted on these same strips, so it flatters. In brackets 95 % intervals over the choice of strips
(not over training anew). *Dice* is Kaggle's: the mean over all (strip, class) pairs, 1 where truth
and prediction are both empty, so that predicting nothing scores high."""


def _headline(honest: dict[str, Score], own: dict[str, Score]) -> str:
    first, real = honest[HELD_OUT], honest[VALIDATION]
    mix = f"{first.prior.defective:.0%} defective"
    rows = (
        (f"Dice on a mix with {mix}", HELD_OUT, "dice_original_mix", "dice_empty_original_mix"),
        ("Dice on these strips", VALIDATION, "dice", "dice_empty"),
        ("Dice of defects only, mean of classes", VALIDATION, "dice_positive", None),
        ("IoU, mean of classes, pixels pooled", VALIDATION, "iou", None),
        (f"defective strips found ({first.defective})", HELD_OUT, "detected_share", None),
        (f"clean strips alarmed on ({first.clean})", HELD_OUT, "false_alarm_share", None),
        (f"the same, whole real ones ({real.clean})", VALIDATION, "false_alarm_share", None),
        ("AUC, defective against clean", HELD_OUT, "auc", None),
    )
    lines = ["| | cross-fitted | own | predicting nothing |", "|---|---|---|---|"]
    for title, where, name, empty in rows:
        nothing = "" if empty is None else f"{honest[where].figures()[empty]:.3f}"
        cells = (_cell(honest[where], name), _cell(own[where], name), nothing)
        lines.append(f"| {title} | {' | '.join(cells)} |")
    together = first.strips - real.strips
    return "\n".join(lines) + (
        f"\n\nWhole clean strips are few, so {together} more were put together from the "
        "defect-free stretches\nof held-out strips; they count in where the number of clean "
        f"strips is {first.clean}."
    )


def _class_table(classes: tuple[DefectClass, ...], score: Score) -> str:
    names = ("dice_positive", "precision", "recall", "auc", "iou")
    head = ("class", "strips", "found", "wrongly", "Dice, defects only", *names[1:3], "AUC", "IoU")
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for number, (defect_class, one) in enumerate(zip(classes, score.classes, strict=True), 1):
        counts = (f"{defect_class.id} {defect_class.name}", one.strips, one.found, one.wrongly)
        cells = [_cell(score, f"class_{number}/{name}") for name in names]
        lines.append(f"| {' | '.join(map(str, (*counts, *cells)))} |")
    return "\n".join(lines)


def _cell(score: Score, name: str) -> str:
    """A figure and its interval."""
    value, interval = score.figures().get(name), score.intervals.get(name)
    if value is None:
        return "-"
    return f"{value:.3f}" + ("" if interval is None else f" ({_range(interval)})")


def _range(interval: Interval) -> str:
    return f"{interval.low:.2f}-{interval.high:.2f}"


def _limits(facts: CardFacts) -> Iterator[str]:
    fit, honest = facts.tuning.fit, facts.measured.cross_fitted
    held_out, real = honest[HELD_OUT], honest[VALIDATION]
    if held_out.dice_original_mix <= held_out.dice_empty_original_mix:
        yield "**On the stated mix its mean Dice is below that of predicting nothing.**"
    alarms = held_out.figures().get("false_alarm_share", 0.0)
    if fit.objective == "alarms" and alarms > fit.budget:
        yield f"It alarms on {alarms:.1%} of clean strips; {fit.budget:.0%} was asked for."
    for defect_class, one in zip(fit.classes, real.classes, strict=True):
        if one.strips < FEW_STRIPS:
            yield f"Only {one.strips} held-out strips have {defect_class.name}: mind its intervals."
    yield _most_missed(fit.classes, real.classes)
    stride = facts.config.network.output_stride
    yield f"Nothing much smaller than a cell of {stride} x {stride} pixels can be seen."
    if facts.has_severstal:
        yield (
            "Labels of the set are human and noisy, and strips of one coil can't be told apart, so "
            "the held-out ones may be easier than new coils. No figure here is a leaderboard score."
        )
    yield "What isn't labelled counts as clean: to find a defect that labels miss is a false alarm."
    yield "One run, one seed: training anew moves all figures a little."
    yield "Nothing is known of other steel, optics, colour or resolutions."


def _most_missed(classes: tuple[DefectClass, ...], scores: tuple[ClassScore, ...]) -> str:
    present = [(one, score) for one, score in zip(classes, scores, strict=True) if score.strips]
    if not present:
        return "No held-out strip has a defect."
    worst, score = min(present, key=lambda pair: pair[1].found / pair[1].strips)
    return f"Most missed: {worst.name}, found on {score.found} of {score.strips} strips."
