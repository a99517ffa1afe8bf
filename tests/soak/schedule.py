"""What goes wrong when: a plan drawn from a seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """Everything that is done to the line."""

    KILL_DAEMON = "kill -9 daemon"
    KILL_BROKER = "kill -9 broker"
    BLACK_HOLE = "network black hole"
    RESET = "network reset"
    FREEZE = "daemon stopped 3 s"
    RELOAD = "reload"
    BAD_RELOAD = "reload, bad file"
    RESTART = "camera restart"
    LOST = "frames lost"
    DUPLICATE = "frame twice"
    REORDERED = "frames swapped"
    SPOILT = "pixels spoilt"
    GARBAGE = "garbage"
    FLOOD = "flood"


OF_A_CAMERA: Final = frozenset(
    {
        Fault.RESTART,
        Fault.LOST,
        Fault.DUPLICATE,
        Fault.REORDERED,
        Fault.SPOILT,
        Fault.GARBAGE,
        Fault.FLOOD,
    }
)
_EVERY_S: Final = {
    Fault.KILL_DAEMON: 45.0,
    Fault.KILL_BROKER: 90.0,
    Fault.BLACK_HOLE: 120.0,
    Fault.RESET: 60.0,
    Fault.FREEZE: 150.0,
    Fault.RELOAD: 150.0,
    Fault.BAD_RELOAD: 300.0,
    Fault.RESTART: 45.0,
    Fault.LOST: 10.0,
    Fault.DUPLICATE: 15.0,
    Fault.REORDERED: 15.0,
    Fault.SPOILT: 15.0,
    Fault.GARBAGE: 10.0,
    Fault.FLOOD: 90.0,
}
_HEAD_S: Final = 4.0
_TAIL_S: Final = 6.0
CONTROL_SHARE: Final = 0.45
"""The daemon isn't killed in the first part, so that one life is long enough to see a leak in."""


@dataclass(frozen=True, slots=True, order=True)
class Planned:
    """One fault.

    Attributes:
        at_s: after the start.
        fault: what.
        camera: to which, by number; of no matter where it isn't a camera's.
    """

    at_s: float
    fault: Fault
    camera: int = 0


def plan(*, seconds: float, cameras: int, seed: int) -> Sequence[Planned]:
    """Draw the faults of a soak: each kind at least once, the same for the same seed.

    Raises:
        ValueError: the soak is too short for anything to happen in it.
    """
    if seconds < 2 * (_HEAD_S + _TAIL_S):
        raise ValueError(f"{seconds:g} s are too short for a soak; 20 s are the least")
    chance = random.Random(seed)  # noqa: S311 - moments, not secrets
    planned = []
    for fault, every_s in _EVERY_S.items():
        begin_s = CONTROL_SHARE * seconds if fault is Fault.KILL_DAEMON else _HEAD_S
        span_s = seconds - _TAIL_S - begin_s
        for _ in range(max(1, round(span_s / every_s))):
            at_s = begin_s + chance.random() * span_s
            planned.append(Planned(at_s, fault, chance.randrange(cameras)))
    return sorted(planned)
