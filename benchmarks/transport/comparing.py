"""Our way of transporting frames beside each peer's, size by size."""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from benchmarks.errors import BenchmarkError
from benchmarks.machine import describe_machine
from benchmarks.pairs import Comparison, in_pairs
from benchmarks.report import Findings, Report
from benchmarks.transport.frames import Passage, Plan
from benchmarks.transport.passage import run_passage
from benchmarks.transport.way import Way

PACKAGES: Final = ("pyzmq", "savant-rs", "imagezmq", "numpy")
MODULES: Final = {
    "savant_rs": "benchmarks.transport.savant",
    "imagezmq": "benchmarks.transport.imagezmq_ways",
}
WARM_UP: Final = 60
MOST_BYTES: Final = 600_000_000
"""Of one passage: a publisher that runs ahead puts all of it into the receiver's memory."""
BYTES_PER_MB: Final = 1e6
MS_PER_S: Final = 1e3
COLUMNS: Final = (
    "way",
    "frame",
    "frames/s",
    "MB/s",
    "sender's CPU ms",
    "receiver's CPU ms",
    "lost",
)
NOTES: Final = (
    "every pixel is read once at the receiving end, and the first frames are checked bit for bit",
    "each turn is two fresh processes; connecting and the first frames are not timed",
    "ours checks every header by the contract; the peers' receivers check nothing of the kind",
)


@dataclass(slots=True)
class Contestant:
    """A way, and what came of each of its passages.

    Attributes:
        way: how frames are carried.
        plan: what it carries.
        passages: so far.
    """

    way: Way
    plan: Plan
    passages: list[Passage] = field(default_factory=list)

    def turn(self) -> float:
        """One passage more; seconds per frame."""
        self.passages.append(run_passage(self.way, self.plan))
        return self.passages[-1].seconds_per_frame

    def row(self) -> tuple[str, ...]:
        """For the table of rates."""
        per_s = median(1.0 / one.seconds_per_frame for one in self.passages)
        megabytes = per_s * self.plan.frame_bytes / BYTES_PER_MB
        sender_s = median(one.sender_cpu_s / one.arrived for one in self.passages)
        receiver_s = median(one.receiver_cpu_s / one.arrived for one in self.passages)
        return (
            self.way.name,
            self.plan.size,
            f"{per_s:.0f}",
            f"{megabytes:.0f}",
            f"{sender_s * MS_PER_S:.3f}",
            f"{receiver_s * MS_PER_S:.3f}",
            str(sum(one.lost for one in self.passages)),
        )


def peers_named(names: Sequence[str]) -> tuple[Way, ...]:
    """All ways of some peers.

    Raises:
        BenchmarkError: one isn't installed.
    """
    ways: list[Way] = []
    for name in names:
        try:
            ways += importlib.import_module(MODULES[name]).WAYS
        except ImportError as error:
            raise BenchmarkError(f"{name} can't be imported ({error}): pip install it") from error
    return tuple(ways)


def plan_for(height_px: int, width_px: int, *, frames: int) -> Plan:
    """A passage of as many frames, or fewer where they are large."""
    most = MOST_BYTES // (height_px * width_px) - WARM_UP
    return Plan(height_px, width_px, warm_up=WARM_UP, frames=max(1, min(frames, most)))


def compare_transport(
    ours: Way, peers: Sequence[Way], *, plans: Sequence[Plan], rounds: int
) -> Report:
    """Measure our way beside others'.

    Args:
        ours: our way.
        peers: the others'.
        plans: sizes and numbers of frames.
        rounds: pairs.

    Raises:
        BenchmarkError: a contestant failed.
    """
    machine = describe_machine(PACKAGES)
    comparisons: list[Comparison] = []
    rows: list[tuple[str, ...]] = []
    for plan in plans:
        mine = Contestant(ours, plan)
        theirs = [Contestant(peer, plan) for peer in peers]
        comparisons += [_compare(mine, peer, rounds) for peer in theirs]
        rows += [one.row() for one in (mine, *theirs)]
    return Report(
        "transport",
        "frame",
        {
            "rounds": rounds,
            "frames": " ".join(f"{plan.frames} of {plan.size}" for plan in plans),
            "processes": 2,
        },
        machine,
        tuple(comparisons),
        (Findings("For orientation, no claim: medians over all turns", COLUMNS, tuple(rows)),),
        NOTES,
    )


def _compare(ours: Contestant, peer: Contestant, rounds: int) -> Comparison:
    ours_s, peer_s = in_pairs(ours.turn, peer.turn, rounds=rounds)
    lost = sum(one.lost for one in peer.passages)
    return Comparison(
        f"{ours.way.name}, {ours.plan.size}",
        peer.way.name,
        ours_s,
        peer_s,
        f"the peer lost {lost}" if lost else "",
    )
