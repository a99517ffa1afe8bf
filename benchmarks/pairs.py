"""Two contestants turn and turn about: ours, theirs, theirs, ours, ours, theirs ..."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import TypeAlias

Turn: TypeAlias = Callable[[], float]
"""Does some work and says the seconds that one unit of it took: a strip, a frame."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How ours did beside a peer.

    Attributes:
        ours: our contestant.
        peer: what it is held against.
        ours_s: seconds per unit, one for each pair.
        peer_s: likewise, of the turn beside it.
        remark: what has to be known about the two.
    """

    ours: str
    peer: str
    ours_s: tuple[float, ...]
    peer_s: tuple[float, ...]
    remark: str = ""

    @property
    def ratios(self) -> tuple[float, ...]:
        """How many times as fast ours was, pair by pair."""
        return tuple(theirs / ours for ours, theirs in zip(self.ours_s, self.peer_s, strict=True))

    @property
    def ratio(self) -> float:
        """How many times as fast ours was: the median of the pairs."""
        return median(self.ratios)

    @property
    def spread(self) -> tuple[float, float]:
        """Lowest and highest of the pairs."""
        return min(self.ratios), max(self.ratios)


def in_pairs(
    ours: Turn, peer: Turn, *, rounds: int, rest_s: float = 0.0
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Let two contestants take turns.

    Who begins changes with every pair, so that none is always the one whose caches are cold.

    Args:
        ours: our turn.
        peer: theirs.
        rounds: pairs.
        rest_s: before every turn: the worker threads of some runtimes spin on for a while after
            their work is done, and would slow down the next contestant.

    Returns:
        Seconds per unit of ours and of the peer, one of each for every pair.
    """
    pairs = []
    for number in range(rounds):
        turns = (ours, peer) if number % 2 == 0 else (peer, ours)
        taken_s = [_rested(turn, rest_s) for turn in turns]
        pairs.append(taken_s if number % 2 == 0 else taken_s[::-1])
    return tuple(ours_s for ours_s, _ in pairs), tuple(peer_s for _, peer_s in pairs)


def _rested(turn: Turn, rest_s: float) -> float:
    time.sleep(rest_s)
    return turn()
