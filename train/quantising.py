"""Offering INT8: a quantised network beside a bundle's own, if it finds what that one finds.

Scales come from strips that the run was trained on; what INT8 costs is measured on those that it
held out, with the bundle's own thresholds and areas, on the CPU. A network on a GPU rounds the same
values by the same scales.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_daemon.errors import EdgeDaemonError
from edge_daemon.inference.bundle import Bundle, load_bundle
from edge_daemon.inference.manifest import INT8, Calibration, Int8
from models.calibration import METHOD
from models.export import add_int8
from models.int8 import write_int8
from models.parity import run_onnx
from train.data.reading import load_strips
from train.data.strips import StripSet
from train.heldout import Tell, held_out
from train.judging.figures import Prior
from train.judging.scoring import Score
from train.judging.validation import score_strips
from train.packing import fingerprint
from train.runs import RunError, RunFolder

CALIBRATION_STRIPS = 64
DEFAULT_LIMIT = 0.01
DIGITS = 4
"""Of the drops in the manifest."""


class Int8RefusedError(EdgeDaemonError):
    """INT8 costs a class more than it may, or nobody can tell."""


@dataclass(frozen=True, slots=True)
class ClassCost:
    """What INT8 does to one class.

    Attributes:
        name: of the class.
        strips: held-out strips that have it.
        dice: mean Dice over these, of the bundle's float network.
        dice_int8: the same of the INT8 network.
        wrongly: held-out strips without the class on which the float network reports it.
        wrongly_int8: the same of the INT8 network.
    """

    name: str
    strips: int
    dice: float
    dice_int8: float
    wrongly: int
    wrongly_int8: int

    @property
    def drop(self) -> float:
        """By how much Dice falls; negative where it rises."""
        return self.dice - self.dice_int8


@dataclass(frozen=True, slots=True)
class Trial:
    """An INT8 network that was tried.

    Attributes:
        network: ONNX file with Q/DQ pairs.
        calibration: how its scales were chosen.
        costs: by class, in the bundle's order.
    """

    network: Path
    calibration: Calibration
    costs: tuple[ClassCost, ...]


def try_int8(run: RunFolder, folder: Path, network: Path, *, tell: Tell) -> Trial:
    """Quantise a bundle's network, and measure what that costs.

    Args:
        run: that the bundle was made of: its training strips calibrate, its held-out ones judge.
        folder: of the bundle.
        network: file to write.
        tell: hears what is being done.

    Raises:
        BundleError: the bundle is not whole.
        RunError: the bundle is of another run, or strips aren't of its size.
        ExportError: the network can't be quantised.
    """
    bundle, config = load_bundle(folder), run.config()
    strips = load_strips(config.data.root, class_count=config.network.classes)
    training = strips.named(run.split().training)
    if fingerprint(training) != bundle.manifest.provenance.data_fingerprint:
        raise RunError(
            f"{folder} was trained on other strips than {run.path}: those that this run held out "
            "may be among them, and would flatter; name the run that the bundle was made of"
        )
    judged = _joined(list(held_out(run).sets.values()))
    _check_sizes(bundle, training, judged)
    chosen = np.unique(np.linspace(0, len(training) - 1, CALIBRATION_STRIPS).round().astype(int))
    tell(f"INT8: {len(chosen)} training strips go through the network, for its scales")
    write_int8(bundle.onnx_path, network, (training.images[row][None, None] for row in chosen))
    scores: list[Score] = []
    for what, path in (("float", bundle.onnx_path), ("INT8", network)):
        tell(f"{what}: {len(judged)} held-out strips go through the network")
        found = run_onnx(path, np.stack(judged.images)[:, None])
        prior = Prior.of(config.data)
        scores.append(score_strips(list(found), judged.classes, bundle.classes, prior=prior))
    calibration = Calibration(strips=len(chosen), method=METHOD)
    return Trial(network, calibration, _costs(bundle, *scores))


def offer_int8(folder: Path, trial: Trial, *, limit: float) -> Bundle:
    """Take a tried network into its bundle.

    Args:
        folder: of the bundle.
        trial: of this very bundle.
        limit: by how much the Dice of a class may fall, of its positives only.

    Raises:
        Int8RefusedError: it falls further; the bundle is left as it was.
    """
    complaints = [one for cost in trial.costs if (one := _complaint(cost, limit))]
    if complaints:
        raise Int8RefusedError(
            f"{'; '.join(complaints)}; {folder} offers no INT8. Raise the limit if that will do, "
            "or hold out more strips of these classes: among few, one weighs much"
        )
    offer = Int8(
        file=INT8,
        limit=limit,
        dice_drop={cost.name: round(cost.drop, DIGITS) for cost in trial.costs},
        calibration=trial.calibration,
    )
    return add_int8(folder, trial.network, offer)


def _complaint(cost: ClassCost, limit: float) -> str | None:
    if not cost.strips:
        return f"no held-out strip shows {cost.name}, so what INT8 costs it can't be measured"
    if cost.drop > limit:
        return (
            f"with INT8 the Dice of {cost.name} falls by {cost.drop:.4f}, from {cost.dice:.4f} to "
            f"{cost.dice_int8:.4f} on {cost.strips} strips; {limit:g} is allowed"
        )
    return None


def _costs(bundle: Bundle, before: Score, after: Score) -> tuple[ClassCost, ...]:
    return tuple(
        ClassCost(
            name=one.name,
            strips=old.strips,
            dice=old.dice_positive,
            dice_int8=new.dice_positive,
            wrongly=old.wrongly,
            wrongly_int8=new.wrongly,
        )
        for one, old, new in zip(bundle.classes, before.classes, after.classes, strict=True)
    )


def _joined(sets: Sequence[StripSet]) -> StripSet:
    return StripSet(
        names=tuple(name for one in sets for name in one.names),
        images=tuple(image for one in sets for image in one.images),
        classes=tuple(class_map for one in sets for class_map in one.classes),
        class_count=sets[0].class_count,
    )


def _check_sizes(bundle: Bundle, *sets: StripSet) -> None:
    wanted = bundle.manifest.input.shape[2:]
    for one in sets:
        if sizes := one.sizes_hw() - {wanted}:
            raise RunError(f"{bundle.directory} takes strips of {wanted}, some are {min(sizes)}")
