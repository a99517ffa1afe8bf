"""What a bad camera sends, and what has to come of it by the contract (`docs/wire.md`).

A case is a camera's start of its own: its name is the stream, so cases may follow each other in any
order at one daemon. Each ends with a good frame, which has to be inspected.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason

BAD, GOOD = "bad-1", "top-1"
ROWS, COLUMNS = 32, 64
BEGAN_NS = 1_700_000_000_000_000_000
FRAME_NS = 100_000_000

Parts: TypeAlias = Sequence[bytes]
Refusals: TypeAlias = Counter[tuple[str, RejectReason]]
Rows: TypeAlias = Counter[NotInspectedReason]


@dataclass(frozen=True, slots=True)
class Raw:
    """JSON as it stands in a header; an empty text leaves the key out."""

    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """Messages of one start of a camera.

    `refused` counts by camera and reason, `inspected` and `booked` are rows of `BAD`.
    """

    name: str
    messages: tuple[Parts, ...]
    refused: Refusals = field(default_factory=Counter)
    inspected: int = 0
    booked: Rows = field(default_factory=Counter)


def picture(seed: int, rows: int = ROWS, columns: int = COLUMNS) -> GreyImage:
    """Steel as a sharp camera sees it: grain, never twice the same."""
    grain = np.random.default_rng(seed).normal(128, 12, (rows, columns))
    return np.asarray(grain.clip(90, 170), np.uint8)


def header(stream: str, seq: int, /, **changes: object) -> bytes:
    """A good header but for `changes`, which may be values or `Raw` JSON."""
    fields = {
        "v": 1,
        "stream": stream,
        "seq": seq,
        "t_ns": BEGAN_NS + seq * FRAME_NS,
        "width": COLUMNS,
        "height": ROWS,
        "format": "Mono8",
        "codec": "raw",
    } | changes
    texts = {k: v.text if isinstance(v, Raw) else json.dumps(v) for k, v in fields.items()}
    pairs = [f"{json.dumps(key)}: {text}" for key, text in texts.items() if text]
    return f"{{{', '.join(pairs)}}}".encode()


def good(stream: str, seq: int, /, *, payload: bytes | None = None, **changes: object) -> Parts:
    """A frame that says of itself what it says; its pixels are those of its header."""
    if payload is None:
        payload = picture(sum(map(ord, stream)) * 100 + seq % 100).tobytes()
    return [BAD.encode(), header(stream, seq, **changes), payload]


def unplaced(
    name: str, reason: RejectReason, *wrong: Parts, counted_for: str = BAD, times: int | None = None
) -> Case:
    """Messages that don't say which rows they have; the next frame shows that one is missing."""
    count = len(wrong) if times is None else times
    return Case(
        name,
        (*wrong, good(name, 1)),
        Counter({(counted_for, reason): count}),
        inspected=ROWS,
        booked=Counter({NotInspectedReason.CAMERA_RESTART: ROWS}),
    )


def placed(
    name: str,
    reason: RejectReason,
    wrong: Parts,
    *,
    booked: NotInspectedReason = NotInspectedReason.REJECTED,
    rows: int = ROWS,
) -> Case:
    """A frame that can't be looked at and says which rows it has."""
    return Case(
        name,
        (wrong, good(name, 1, first_line=rows)),
        Counter({(BAD, reason): 1}),
        inspected=ROWS,
        booked=Counter({booked: rows}),
    )


def accepted(name: str, odd: Parts, *, rows: int = ROWS) -> Case:
    """A frame that is odd and keeps the contract."""
    return Case(name, (odd, good(name, 1, first_line=rows)), inspected=rows + ROWS)
