"""The strips on which a run did worst: kinds of mistakes in turn, each kind worst first."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Literal, TypeAlias

import cv2
import numpy as np

from edge_daemon.core.defects import DefectClass
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.records import ClassMask
from edge_daemon.core.tiling import Probabilities
from edge_daemon.report.overlay import ColourImage, draw_overlay
from train.judging.counting import predict_classes
from train.judging.curves import StripFigures

Kind: TypeAlias = Literal["false alarm", "missed", "badly outlined"]
KINDS: tuple[Kind, ...] = ("missed", "false alarm", "badly outlined")
GOOD_DICE = 0.8
"""A strip on which every class that it has is outlined so well is no bad case."""
MAX_SIDE_PX = 1200
_GAP_PX = 6
# Thin outlines keep their colour only where colour isn't stored more coarsely than grey.
_JPEG = (
    cv2.IMWRITE_JPEG_QUALITY,
    80,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
    cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
)


@dataclass(frozen=True, slots=True)
class Case:
    """A strip and what went wrong.

    Attributes:
        figures: of the strip.
        kind: the worst of its mistakes.
        classes: numbers of the classes concerned.
    """

    figures: StripFigures
    kind: Kind
    classes: tuple[int, ...]

    @property
    def dice(self) -> float:
        """Mean over the classes concerned."""
        return sum(self.figures.dice[number - 1] for number in self.classes) / len(self.classes)

    @property
    def wrong_px(self) -> int:
        """Pixels of the classes concerned that are in the truth or the prediction, not in both."""
        one = self.figures
        return sum(
            one.truth[k - 1] + one.predicted[k - 1] - 2 * one.common[k - 1] for k in self.classes
        )


@dataclass(frozen=True, slots=True)
class CasePicture:
    """A case as the page shows it.

    Attributes:
        caption: what went wrong, with figures.
        description: the same for who can't see the picture.
        jpeg: the picture.
    """

    caption: str
    description: str
    jpeg: bytes


def worst_cases(strips: Sequence[StripFigures], count: int) -> list[Case]:
    """Up to so many strips, taken from the kinds of mistakes in turn."""
    cases = [case for one in strips if (case := judge_strip(one)) is not None]
    by_kind = (
        sorted((c for c in cases if c.kind == kind), key=lambda c: (c.dice, -c.wrong_px))
        for kind in KINDS
    )
    in_turn = chain.from_iterable(zip_longest(*by_kind))
    return [case for case in in_turn if case is not None][:count]


def judge_strip(one: StripFigures) -> Case | None:
    """What is wrong with a strip's prediction; None where nothing is, or little."""
    numbers = range(1, len(one.truth) + 1)
    missed = tuple(k for k in numbers if one.truth[k - 1] and not one.common[k - 1])
    alarmed = tuple(k for k in numbers if one.predicted[k - 1] and not one.truth[k - 1])
    bad = tuple(k for k in numbers if one.truth[k - 1] and one.dice[k - 1] < GOOD_DICE)
    if missed:
        return Case(one, "missed", missed)
    if alarmed:
        return Case(one, "false alarm", alarmed)
    return Case(one, "badly outlined", bad) if bad else None


def predicted_mask(
    image: GreyImage, probability: Probabilities, classes: Sequence[DefectClass]
) -> ClassMask:
    """Class map (H, W) that the daemon would make of an answer (K, h, w)."""
    height, width = image.shape
    return predict_classes(probability, classes, height_px=height, width_px=width)


def case_picture(image: GreyImage, truth: ClassMask, predicted: ClassMask) -> bytes:
    """JPEG of the strip twice, with the truth outlined above and the prediction below."""
    pair = [draw_overlay(image, mask, [], max_side_px=MAX_SIDE_PX) for mask in (truth, predicted)]
    return _jpeg(_stack(pair))


def draw_case(
    case: Case,
    image: GreyImage,
    truth: ClassMask,
    *,
    predicted: ClassMask,
    classes: Sequence[DefectClass],
) -> CasePicture:
    """Draw a case and say what it shows."""
    names = ", ".join(one.name for one in classes if one.id in case.classes)
    dice = f"Dice {case.dice:.2f}, {case.wrong_px:,} pixels wrong"
    labelled, found = _told(truth, classes), _told(predicted, classes)
    description = f"Strip {case.figures.name}; labelled: {labelled}; predicted: {found}."
    caption = f"{case.kind}: {names} ({dice}) on {case.figures.name}"
    return CasePicture(caption, description, case_picture(image, truth, predicted))


def _told(mask: ClassMask, classes: Sequence[DefectClass]) -> str:
    areas = {one.name: int(np.count_nonzero(mask == one.id)) for one in classes}
    told = ", ".join(f"{name} {area} px" for name, area in areas.items() if area)
    return told or "nothing"


def _stack(pictures: Sequence[ColourImage]) -> ColourImage:
    gap = np.full((_GAP_PX, pictures[0].shape[1], 3), 255, np.uint8)
    return np.concatenate([pictures[0], gap, *pictures[1:]])


def _jpeg(picture: ColourImage) -> bytes:
    return cv2.imencode(".jpg", picture, _JPEG)[1].tobytes()
