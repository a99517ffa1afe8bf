"""Frames that are each right and follow each other as they should not."""

from collections import Counter
from collections.abc import Iterator

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from tests.bad_input.cases import BAD, BEGAN_NS, FRAME_NS, ROWS, Case, Parts, good

_LOST = NotInspectedReason.LOST
_DUPLICATE = Counter({(BAD, RejectReason.DUPLICATE): 1})
_SEQUENCE = Counter({(BAD, RejectReason.SEQUENCE): 1})


def sequence_cases() -> Iterator[Case]:
    """Duplicates, jumps, steps back."""
    yield _frames("seq: twice", (0, 0, 1), refused=_DUPLICATE, inspected=2)
    yield _frames("seq: the last but two again", (0, 1, 2, 0, 3), refused=_DUPLICATE, inspected=4)
    yield _frames("seq: two change places", (0, 2, 1, 3), refused=_DUPLICATE, inspected=3, lost=1)
    yield _frames("seq: jumps by 5", (0, 5, 6), inspected=3, lost=4)
    far = 2**40
    yield _frames("seq: jumps far", (0, far, far + 1), inspected=3, lost=far - 1)
    beyond = Counter({(BAD, RejectReason.HEADER_FIELD): 1})
    for seq in (2**53, 2**62, 2**63, 2**64):
        yield _frames(f"seq: jumps to {seq}", (0, seq, 2), refused=beyond, inspected=2, lost=1)
    yield _beyond_counting()
    yield _restarted("seq: goes back while the clock goes on")


def line_cases() -> Iterator[Case]:
    """Row counters that jump, go back, or overlap."""
    yield _lines("first_line: jumps by 100", (0, 132, 164), inspected=3 * ROWS, lost=100)
    yield _lines("first_line: overlaps by half", (0, 16, 48), inspected=2 * ROWS + 16)
    yield _lines("first_line: overlaps by all but one", (0, 1, 33), inspected=2 * ROWS + 1)
    yield _lines("first_line: stands still", (0, 0, 32), refused=_SEQUENCE, inspected=2 * ROWS)
    yield _lines(
        "first_line: goes back", (64, 0, 96), refused=_SEQUENCE, inspected=2 * ROWS, restart=64
    )
    yield _lines(
        "first_line: begins far out", (2**45, 2**45 + 32), inspected=2 * ROWS, restart=2**45
    )
    name = "first_line: goes on though frames are missing"
    frames = (good(name, 0, first_line=0), good(name, 5, first_line=ROWS))
    yield Case(name, frames, inspected=2 * ROWS, booked=Counter({_LOST: 4 * ROWS}))


def clock_cases() -> Iterator[Case]:
    """Times that jump, encoders that run backwards, coils that flicker."""
    for kind, times in {
        "goes back": (BEGAN_NS, BEGAN_NS - 10**18, BEGAN_NS),
        "stands still": (BEGAN_NS, BEGAN_NS, BEGAN_NS),
        "falls to zero": (BEGAN_NS, 0, 1),
        "jumps to 2262": (BEGAN_NS, 2**63 - 1, BEGAN_NS),
    }.items():
        name = f"t_ns: {kind}"
        frames = tuple(good(name, seq, t_ns=t_ns) for seq, t_ns in enumerate(times))
        yield Case(name, frames, inspected=3 * ROWS)
    for kind, positions in {
        "runs backwards": (1e6, 5e5, 0.0),
        "jumps": (0.0, 1e308, 16.0),
        "stands still": (7.0, 7.0, 7.0),
        "comes and goes": (7.0, None, 7.0),
    }.items():
        name = f"encoder_mm: {kind}"
        frames = tuple(good(name, seq, encoder_mm=mm) for seq, mm in enumerate(positions))
        yield Case(name, frames, inspected=3 * ROWS)
    name = "coil: another with every frame"
    frames = tuple(good(name, seq, coil=f"C{seq % 4}") for seq in range(12))
    yield Case(name, frames, inspected=12 * ROWS)


def stream_cases() -> Iterator[Case]:
    """A camera that is started anew, and frames from before that come late."""
    name = "stream: its former start comes late"
    frames = (good(name, 0), good(name + "!", 3), good(name, 1), good(name + "!", 4))
    booked = Counter({NotInspectedReason.CAMERA_RESTART: 3 * ROWS, _LOST: ROWS})
    yield Case(name, frames, _SEQUENCE, inspected=3 * ROWS, booked=booked)
    name = "stream: another with every frame"
    yield Case(name, tuple(good(f"{name} {n}", 0) for n in range(9)), inspected=9 * ROWS)


def _frames(
    name: str,
    numbers: tuple[int, ...],
    *,
    inspected: int,
    refused: Counter[tuple[str, RejectReason]] | None = None,
    lost: int = 0,
) -> Case:
    return Case(
        name,
        tuple(good(name, seq, t_ns=BEGAN_NS + min(seq, 50) * FRAME_NS) for seq in numbers),
        refused or Counter(),
        inspected=inspected * ROWS,
        booked=Counter({_LOST: lost * ROWS}) if lost else Counter(),
    )


def _lines(
    name: str,
    tops: tuple[int, ...],
    *,
    inspected: int,
    refused: Counter[tuple[str, RejectReason]] | None = None,
    lost: int = 0,
    restart: int = 0,
) -> Case:
    frames = tuple(good(name, seq, first_line=top) for seq, top in enumerate(tops))
    booked = {_LOST: lost, NotInspectedReason.CAMERA_RESTART: restart}
    rows = Counter({reason: count for reason, count in booked.items() if count})
    return Case(name, frames, refused or Counter(), inspected=inspected, booked=rows)


def _beyond_counting() -> Case:
    """The row counter goes on; only the number says how much is missing, and it says too much."""
    name = "seq: jumps to 2**62 while first_line goes on"
    frames: tuple[Parts, ...] = (
        good(name, 0, first_line=0),
        good(name, 2**62, first_line=ROWS),
        good(name, 2, first_line=2 * ROWS),
    )
    refused = Counter({(BAD, RejectReason.HEADER_FIELD): 1})
    return Case(name, frames, refused, inspected=2 * ROWS, booked=Counter({_LOST: ROWS}))


def _restarted(name: str) -> Case:
    later_ns = BEGAN_NS + 10**12
    frames = (
        good(name, 0),
        good(name, 1),
        good(name, 0, t_ns=later_ns),
        good(name, 1, t_ns=later_ns + 1),
    )
    return Case(name, frames, inspected=4 * ROWS)
