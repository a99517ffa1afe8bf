"""Our tiling beside supervision's: time around the network, and what happens at seams."""

import time
from collections.abc import Sequence
from typing import Final

from benchmarks.machine import describe_machine
from benchmarks.pairs import Comparison, Turn, in_pairs
from benchmarks.report import Report
from benchmarks.tiling.bright import clean_steel, draw
from benchmarks.tiling.seams import count_pieces
from benchmarks.tiling.ways import Way, our_way, slicer_ways
from edge_daemon.core.pixels import GreyImage

PACKAGES: Final = ("supervision", "numpy", "opencv-python-headless")
FRAMES_PER_TURN: Final = 4
NOTES: Final = (
    "timed is what is done around the network; more strips per frame cost more of that, too",
    "the network sees perfectly: pieces are the tiling's doing",
)


def compare_tiling(height_px: int, width_px: int, *, rounds: int, places: int) -> Report:
    """Measure both ways on a clean and on a defective frame.

    Args:
        height_px: rows of the frame.
        width_px: columns of the frame.
        rounds: pairs.
        places: where each defect is put to count its pieces.
    """
    machine = describe_machine(PACKAGES)
    ours, peers = our_way(), slicer_ways()
    clean = clean_steel(height_px, width_px)
    frames = {"clean": clean, "3 defects": _with_defects(clean)}
    return Report(
        "tiling",
        "frame",
        {"frame": f"{height_px}x{width_px}", "rounds": rounds, "frames_per_turn": FRAMES_PER_TURN},
        machine,
        tuple(
            _compare(ours, peer, what, frame, rounds)
            for what, frame in frames.items()
            for peer in peers
        ),
        (count_pieces((ours, *peers), height_px, width_px, places=places),),
        NOTES,
    )


def _compare(ours: Way, peer: Way, what: str, frame: GreyImage, rounds: int) -> Comparison:
    counts = [_strips_for(way, frame) for way in (ours, peer)]  # warms both up, too
    ours_s, peer_s = in_pairs(_turn(ours, frame), _turn(peer, frame), rounds=rounds)
    return Comparison(
        f"{ours.name}, {what}",
        peer.name,
        ours_s,
        peer_s,
        f"strips per frame {counts[0]} : {counts[1]}",
    )


def _strips_for(way: Way, frame: GreyImage) -> int:
    before = way.network.strips
    way.find(frame)
    return way.network.strips - before


def _turn(way: Way, frame: GreyImage) -> Turn:
    def turn() -> float:
        in_network_s = way.network.seconds
        began = time.perf_counter()
        for _ in range(FRAMES_PER_TURN):
            way.find(frame)
        taken_s = time.perf_counter() - began
        return (taken_s - (way.network.seconds - in_network_s)) / FRAMES_PER_TURN

    return turn


def _with_defects(steel: GreyImage) -> GreyImage:
    """A spot, a patch and a scratch, spread over the frame."""
    height_px, width_px = steel.shape
    places: Sequence[tuple[float, float, int, int]] = (
        (0.24, 0.38, 40, 60),
        (0.5, 0.75, 120, 200),
        (0.1, 0.1, height_px // 2, 12),
    )
    for down, across, high, wide in places:
        steel = draw(
            steel,
            top=int(down * height_px),
            left=int(across * width_px),
            height_px=high,
            width_px=wide,
        )
    return steel
