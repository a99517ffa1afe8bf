"""Reading a folder of labelled strips, and finding everything that is wrong with it at once.

The strips lie in `images/`, of any size; what else lies there tells how they are labelled:

    train.csv    run lengths, as Kaggle's Severstal set: `train.data.severstal`
    masks/       PNGs of class numbers: `train.data.index_masks`

`suspect_clean.txt` may name strips that are labelled clean and are not, one image name per line;
`#` starts a comment.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import numpy as np

from train.data import index_masks, severstal
from train.data.image_files import SUFFIXES, ImageFileError, list_files, read_grey
from train.data.labels import Labels
from train.data.strips import DataError, Fault, Grey, StripSet

SUSPECTS = "suspect_clean.txt"
_NAMED_AT_ONCE = 3

Images: TypeAlias = Mapping[str, Grey | None]
"""By file name; None where the file couldn't be decoded."""


def read_strips(root: Path, *, class_count: int) -> tuple[StripSet, list[Fault]]:
    """Read a whole folder; what is faulty is left out of the set and named in the list.

    Args:
        root: the folder.
        class_count: K; labels are 1..K.
    """
    faults: list[Fault] = []
    images = _read_images(root / "images", faults)
    labels = _read_labels(root, images, class_count=class_count)
    suspects = _read_suspects(root / SUSPECTS, images, faults)
    good = {n: one for n, one in images.items() if one is not None and n not in labels.faulty}
    blank = {one.shape: np.zeros(one.shape, np.uint8) for one in good.values()}
    strips = StripSet(
        names=tuple(good),
        images=tuple(good.values()),
        classes=tuple(labels.maps.get(name, blank[one.shape]) for name, one in good.items()),
        class_count=class_count,
        suspects=suspects,
    )
    return strips, faults + labels.faults


def load_strips(root: Path, *, class_count: int) -> StripSet:
    """Read a folder that has to be free of errors; warnings don't matter.

    Raises:
        DataError: with the first few errors; `python -m train check` lists all of them.
    """
    strips, faults = read_strips(root, class_count=class_count)
    errors = [fault for fault in faults if fault.severity == "error"]
    if errors:
        first = "; ".join(f"{fault.where}: {fault.what}" for fault in errors[:_NAMED_AT_ONCE])
        raise DataError(f"{root}: {len(errors)} faults ({first}); see `python -m train check`")
    return strips


def _read_images(folder: Path, faults: list[Fault]) -> dict[str, Grey | None]:
    listing = list_files(folder, suffixes=SUFFIXES)
    faults += listing.faults
    if not listing.paths and not listing.faults:
        faults.append(Fault("images/", f"is empty, expected files *{' *'.join(SUFFIXES)}"))
    with ThreadPoolExecutor() as pool:
        read = pool.map(_read_or_fault, listing.paths.values())
        images: dict[str, Grey | None] = {}
        for name, found in zip(listing.paths, read, strict=True):
            if isinstance(found, Fault):
                faults.append(found)
            images[name] = None if isinstance(found, Fault) else found
    return images


def _read_or_fault(path: Path) -> Grey | Fault:
    try:
        return read_grey(path)
    except ImageFileError as error:
        return Fault(path.name, str(error))


def _read_labels(root: Path, images: Images, *, class_count: int) -> Labels:
    readers: dict[str, Callable[[], Labels]] = {
        severstal.TABLE: lambda: severstal.read_labels(root, images, class_count=class_count),
        index_masks.FOLDER: lambda: index_masks.read_labels(root, images, class_count=class_count),
    }
    present = [name for name in readers if (root / name).exists()]
    if len(present) == 1:
        return readers[present[0]]()
    found = "neither" if not present else "both"
    fault = Fault(f"{root}", f"has {found} of train.csv and masks/; expected one, for the labels")
    return Labels(faulty=set(images), faults=[fault])


def _read_suspects(path: Path, images: Images, faults: list[Fault]) -> frozenset[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        faults.append(Fault(path.name, f"can't be read: {error.strerror}"))
        return frozenset()
    except UnicodeDecodeError as error:
        faults.append(Fault(path.name, f"is not UTF-8 text (byte {error.start})"))
        return frozenset()
    names = {line.partition("#")[0].strip() for line in text.splitlines()} - {""}
    unknown = sorted(names - images.keys())
    faults += [Fault(path.name, f"{name!r} is not in images/") for name in unknown]
    return frozenset(names & images.keys())
