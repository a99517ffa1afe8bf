"""Pictures of the strips on which a run did worst, from its data and its network's answers."""

from typing import Literal, TypeAlias

from train.data.simulated import Draw
from train.data.strips import StripSet
from train.heldout import Tell, answers, held_out, simulated_set
from train.report.cases import CasePicture, draw_case, predicted_mask, worst_cases
from train.report.gathering import RunFacts
from train.runs import SIMULATED, VALIDATION

Pictures: TypeAlias = Literal["held-out", "simulated", "none"]


def draw_cases(
    run: RunFacts, pictures: Pictures, *, count: int, draw: Draw, tell: Tell
) -> list[CasePicture]:
    """Up to so many pictures; none of a run that wasn't judged on such strips.

    Raises:
        RunError: the run's weights are gone.
        DataError: its strips are.
    """
    where = SIMULATED if pictures == "simulated" else VALIDATION
    if pictures == "none" or run.measured is None or where not in run.curves:
        return []
    cases = worst_cases(run.curves[where].strips, count)
    strips = _strips(run, where, draw)
    network, _ = run.folder.average()
    probabilities = answers(run.folder, network, where, strips, tell=tell)
    classes = run.measured.classes
    drawn = []
    for case in cases:
        row = strips.names.index(case.figures.name)
        image = strips.images[row]
        predicted = predicted_mask(image, probabilities[row], classes)
        drawn.append(
            draw_case(case, image, strips.classes[row], predicted=predicted, classes=classes)
        )
    return drawn


def _strips(run: RunFacts, where: str, draw: Draw) -> StripSet:
    """The very strips that were judged."""
    if where == SIMULATED:
        count = len(run.curves[SIMULATED].strips)
        return simulated_set(run.config, draw, count=count)[SIMULATED]
    return held_out(run.folder).sets[where]
