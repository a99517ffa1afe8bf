"""The card of a bundle: what it was trained on, how well it does and on what, limits, terms."""

from collections.abc import Mapping, Sequence

from edge_daemon.core.defects import DefectClass
from edge_daemon.inference.bundle import Provenance
from train.runs import SIMULATED, VALIDATION
from train.scoring import ClassScore, Score

_CARD = """\
# {name} {version}

A compact U-Net that finds four classes of surface defects on steel strip. It takes 8-bit grey
strips of 256 rows and 1600 columns and gives, for each class, a probability on a grid
of stride {stride}.

**For research and demonstration. A plant trains on its own strips before production**: steel,
light and camera differ, and so will the figures below.

## Network
Encoder {encoder} (ImageNet weights, stem summed to one grey channel), first {stages} stages;
strips averaged down by {downsample} inside the graph; decoder of {levels} levels, {channels}
channels. {steps} optimiser steps, seed {seed}, weights averaged over steps.
Commit: `{commit}`.

## Classes
The data set numbers its classes without naming them; the names are this project's.

| id | name | threshold | minimum area, px | severity |
|---|---|---|---|---|
{class_rows}

## Data
Trained on strips from *Severstal: Steel Defect Detection* (Grishin, BorisV, iBardintsev,
inversion, Oleg; Kaggle, 2019): four fifths of 1,005 real strips of its training part, beside
simulated strips drawn by this project. Fingerprint of what was trained on: `{fingerprint}`.

The images and masks belong to PAO Severstal. The owner's statement in Kaggle discussion 118403
(quoted in the LICENSE.md of dataset-ninja/severstal-steel-defect-detection) allows use in
research, limited only by applicable law. The competition's own rules apply too. No image or mask
of the set is part of this bundle; the known-answer strip is simulated.

## Figures
*Dice* is Kaggle's: the mean over all (strip, class) pairs, 1 where truth and prediction are both
empty, so that predicting nothing scores high; *positives only* is the mean over the pairs that
have a defect. *Found*: strips with the class on which some of its pixels were found. *Wrongly*:
strips without the class on which it was reported.

### Held-out real strips
{v.strips} strips of the set above that were not trained on, near-duplicates kept together;
thresholds and areas were fitted on these same strips (and on simulated clean ones), so the figures
flatter a little. The mix is not the original one: {v.defective} of {v.strips} have defects.

{v_table}

- Mean Dice {v.dice:.3f}; predicting nothing: {v.dice_empty:.3f}.
- Weighted to the original training set's mix (53 % defective): {v.dice_original_mix:.3f};
  predicting nothing: {v.dice_empty_original_mix:.3f}.
- Positives-only Dice, mean of the classes: {v.dice_positive:.3f}.
- Defective strips with any report: {v.detected} of {v.defective}. Clean strips with a false alarm:
  **{v.false_alarms} of {v.clean}**. So few clean strips say little, either way.

### Simulated strips
{s.strips} fresh strips of this project's simulator, many with marks that only look like defects.

{s_table}

- Mean Dice {s.dice:.3f}; predicting nothing: {s.dice_empty:.3f}.
- Defective strips with any report: {s.detected} of {s.defective}. Clean strips with a false alarm:
  {s.false_alarms} of {s.clean}.

## Limits
- Labels of the set are human and noisy: differences in the third decimal mean nothing. One run,
  one seed.
- Small or faint pitting is missed most; defects under some 10 pixels are below what the network
  can resolve.
- Nothing is known of other steel, other optics, colour, or resolutions other than the set's.
- No figure here is a leaderboard score.
"""


def write_card(
    name: str,
    version: str,
    *,
    classes: Sequence[DefectClass],
    scores: Mapping[str, Score],
    provenance: Provenance,
    stride: int,
) -> str:
    """Markdown text of `card.md`."""
    architecture = provenance.architecture
    channels = architecture["decoder_channels"]
    widths = channels if isinstance(channels, list) else []
    validation, simulated = scores[VALIDATION], scores[SIMULATED]
    return _CARD.format(
        name=name,
        version=version,
        stride=stride,
        encoder=architecture["encoder"],
        stages=architecture["encoder_stages"],
        downsample=architecture["input_downsample"],
        levels=len(widths),
        channels=", ".join(map(str, widths)),
        steps=provenance.steps,
        seed=provenance.seed,
        commit=provenance.commit,
        fingerprint=provenance.data_fingerprint[:16],
        class_rows="\n".join(map(_class_row, classes)),
        v=validation,
        s=simulated,
        v_table=_score_table(classes, validation),
        s_table=_score_table(classes, simulated),
    )


def _class_row(one: DefectClass) -> str:
    return f"| {one.id} | {one.name} | {one.threshold:.2f} | {one.min_area_px} | {one.severity} |"


def _score_table(classes: Sequence[DefectClass], score: Score) -> str:
    head = (
        "| class | strips | found | wrongly | Dice, positives only | Dice | predicting nothing |",
        "|---|---|---|---|---|---|---|",
    )
    return "\n".join((*head, *map(_score_row, classes, score.classes)))


def _score_row(defect_class: DefectClass, one: ClassScore) -> str:
    return (
        f"| {defect_class.id} {defect_class.name} | {one.strips} | {one.found} | {one.wrongly} "
        f"| {one.dice_positive:.3f} | {one.dice:.3f} | {one.dice_empty:.3f} |"
    )
