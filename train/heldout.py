"""The strips that a run is judged on, and what its network says of them.

The network's answers are kept in the run's folder, so that tuning, judging and a report run it only
once. A kept answer is used only for the very weights and pixels that it was made of.
"""

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edge_daemon.core.tiling import Probabilities
from models.network import SteelNet
from train.config import RunConfig
from train.data.clean import clean_mosaics
from train.data.reading import load_strips
from train.data.simulated import Draw, simulate_strips
from train.data.strips import DataError, StripSet
from train.judging.grouping import GROUPS, deal_groups
from train.judging.validation import predict
from train.runs import CLEAN_STRETCHES, SIMULATED, VALIDATION, RunFolder, weights_sha256

STRIPS_PER_CLEAN = 3
"""Of the held-out strips, so many for each clean one that is put together: more would only show
the same stretches again."""
SIMULATED_CLEAN_SHARE = 0.5
JUDGING_SEED = 200_000
"""Added to a run's seed: no simulated strip is met both in training and in judging."""
LEVELS = 1024
"""Kept probabilities are rounded to so many steps, as those of a bundle's known answer."""

Tell = Callable[[str], None]
"""Takes a line about what is being done."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Sets of strips that a run never saw.

    Attributes:
        sets: by name: `validation` and `clean_stretches`.
        groups: by the same names, group 0..4 of each strip (N,). A clean strip is put together from
            strips of its own group only.
    """

    sets: Mapping[str, StripSet]
    groups: Mapping[str, NDArray[np.int64]]


def held_out(run: RunFolder) -> HeldOut:
    """The held-out real strips, and clean strips put together from their defect-free stretches.

    Both follow from the run's configuration and split alone.
    """
    config = run.config()
    strips = load_strips(config.data.root, class_count=config.network.classes)
    validation = strips.named(run.split().validation)
    groups = deal_groups(validation, seed=config.seed)
    clean = [
        _clean_strips(validation.rows(np.flatnonzero(groups == group).tolist()), group, config.seed)
        for group in range(GROUPS)
    ]
    stretches = StripSet(
        names=tuple(name for one in clean for name in one.names),
        images=tuple(image for one in clean for image in one.images),
        classes=tuple(class_map for one in clean for class_map in one.classes),
        class_count=validation.class_count,
    )
    return HeldOut(
        sets={VALIDATION: validation, CLEAN_STRETCHES: stretches},
        groups={
            VALIDATION: groups,
            CLEAN_STRETCHES: np.repeat(np.arange(GROUPS), [len(one) for one in clean]),
        },
    )


def simulated_set(config: RunConfig, draw: Draw, *, count: int) -> dict[str, StripSet]:
    """Fresh simulated strips, half of them clean; nothing for a run that was trained without any.

    Simulated strips show the four classes of Severstal: to a run on other data they mean nothing.
    """
    if not config.data.simulated_strips:
        return {}
    seed = config.seed + JUDGING_SEED
    share = SIMULATED_CLEAN_SHARE
    return {SIMULATED: simulate_strips(draw, count=count, clean_share=share, seed=seed)}


def answers(
    run: RunFolder, network: SteelNet, set_name: str, strips: StripSet, *, tell: Tell
) -> list[Probabilities]:
    """Probabilities (K, h, w) of each strip, from the run's folder where it has them.

    Args:
        run: where they are kept.
        network: the run's.
        set_name: part of the file's name.
        strips: N strips.
        tell: hears of a set that goes through the network.
    """
    key = _key(network, strips)
    path = run.path / f"predictions.{set_name}.npz"
    kept = _read(path, key)
    if kept is not None:
        return kept
    tell(f"{set_name}: {len(strips)} strips go through the network")
    wants_gpu = run.config().optim.device != "cpu" and torch.cuda.is_available()
    device = "cuda" if wants_gpu else "cpu"
    found = predict(network.to(device), strips.images, device=device)
    rounded = [np.round(one * LEVELS).astype(np.uint16) for one in found]
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, key=np.array(key), **_numbered(rounded))
    draft.replace(path)
    return [_probability(one) for one in rounded]


def _clean_strips(strips: StripSet, group: int, seed: int) -> StripSet:
    """Put together from one group of strips; none where it has no defect-free stretch."""
    count = -(-len(strips) // STRIPS_PER_CLEAN)
    try:
        clean = clean_mosaics(strips, count=count, seed=seed + group)
    except DataError:
        return strips.rows([])
    names = tuple(f"{CLEAN_STRETCHES}-{group}-{n:04d}" for n in range(len(clean)))
    return StripSet(names, clean.images, clean.classes, clean.class_count)


def _key(network: SteelNet, strips: StripSet) -> str:
    """SHA-256 of all that an answer depends on."""
    digest = hashlib.sha256(weights_sha256(network).encode())
    for name, image in zip(strips.names, strips.images, strict=True):
        digest.update(f"{name} {image.shape}".encode())
        digest.update(np.ascontiguousarray(image).data)
    return digest.hexdigest()


def _read(path: Path, key: str) -> list[Probabilities] | None:
    """What was kept under this key; None where nothing was, or another key's, or a damaged file."""
    try:
        with path.open("rb") as stream, np.load(stream) as file:
            if file["key"].item() != key:
                return None
            return [_probability(file[name]) for name in file.files if name != "key"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def _numbered(arrays: list[NDArray[np.uint16]]) -> dict[str, NDArray[np.uint16]]:
    return {f"{number:06d}": array for number, array in enumerate(arrays)}


def _probability(levels: NDArray[np.uint16]) -> Probabilities:
    return np.asarray(levels / np.float32(LEVELS), np.float32)
