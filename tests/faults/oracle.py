"""The one judge of every fault: what the daemon announced, held against what a subscriber got.

**Delivery.** The outbox gives each message a number and an id, in one transaction with what it is
about. So what was announced is known after the fact, from the disk alone: every number from 1 to
the station's last, and the ids of those that still lie there. A subscriber has to have every number
that isn't waiting any more, under that id, first deliveries in order; a message may come twice. A
number may only be missing where an `event/loss` says so.

**Coverage.** A row of strip is a number too: where the encoder puts it, over restarts of whoever.
Every row that passed has to be inspected or told in one `event/coverage`, not both and not twice;
and rows that nobody can have inspected, since the camera withheld or spoilt them, have to be told.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from tests.faults.evidence import Announced, Message, once

_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Delivery:
    """The verdict on a history of messages.

    Attributes:
        announced: how many messages were announced.
        delivered: how many different ones came.
        waiting: how many the station still has.
        duplicates: how often one came that was there already.
        missing: numbers that are nowhere, and that no loss was told of.
        told_lost: numbers that are nowhere, as an `event/loss` says.
        alien: messages that were never announced so: another id, or a number never given.
        late: numbers that came for the first time behind a higher one.
    """

    announced: int
    delivered: int
    waiting: int
    duplicates: int
    missing: tuple[int, ...] = ()
    told_lost: tuple[int, ...] = ()
    alien: tuple[str, ...] = ()
    late: tuple[int, ...] = ()

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; empty where nothing is."""
        found = []
        if self.missing:
            found.append(f"{len(self.missing)} messages are missing: seq {_some(self.missing)}")
        if self.alien:
            found.append(f"{len(self.alien)} were never announced so: {_some(self.alien)}")
        if self.late:
            found.append(f"{len(self.late)} came out of order: seq {_some(self.late)}")
        return found

    @property
    def content(self) -> bool:
        """Whether every promise was kept."""
        return not self.faults

    def __str__(self) -> str:
        verdict = "; ".join(self.faults) or "nothing lost, in order"
        return (
            f"{self.announced} announced, {self.delivered} delivered, {self.waiting} waiting,"
            f" {self.duplicates} duplicates: {verdict}"
        )


def judge_delivery(announced: Announced, received: Sequence[Message]) -> Delivery:
    """Hold what a subscriber got against what was announced.

    Args:
        announced: by the station, over all its lives.
        received: every message that counts in `seq`, in the order in which it came.
    """
    first: dict[int, str] = {}
    alien: list[str] = []
    late: list[int] = []
    highest = 0
    for message in received:
        seq, message_id = int(message["seq"]), str(message["id"])
        known = announced.ids.get(seq, first.get(seq, message_id))
        if message_id != known or not 0 < seq <= announced.last_seq:
            alien.append(f"{seq} as {message_id}")
            continue
        if seq not in first:
            first[seq] = message_id
            if seq < highest:
                late.append(seq)
            highest = max(highest, seq)
    shared = [f"{n} messages share {i}" for i, n in Counter(first.values()).items() if n > 1]
    gone = set(range(1, announced.last_seq + 1)) - first.keys() - announced.waiting
    told = _told_lost(gone, once(received))
    return Delivery(
        announced=announced.last_seq,
        delivered=len(first),
        waiting=len(announced.waiting - first.keys()),
        duplicates=len(received) - len(first) - len(alien),
        missing=tuple(sorted(gone - told)),
        told_lost=tuple(sorted(told)),
        alien=(*alien, *shared),
        late=tuple(late),
    )


def _told_lost(gone: Iterable[int], received: Iterable[Message]) -> set[int]:
    """Those of the numbers that losses account for: no more of each range than it counts."""
    left, told = set(gone), set[int]()
    for loss in received:
        if loss["schema"] == "edge-daemon/loss/v1" and loss["count"]:
            within = sorted(left.intersection(range(loss["first_seq"], loss["last_seq"] + 1)))
            told.update(within[: loss["count"]])
            left -= told
    return told


Rows: TypeAlias = tuple[int, int]
"""Rows of the strip past one camera, from and up to: counted where the encoder puts them."""


@dataclass(frozen=True, slots=True)
class Passed:
    """What passed a camera, from the camera's own log.

    Attributes:
        rows: how many, up to the end of the last frame that surely arrived.
        unseen: rows that nobody can have inspected: frames withheld, spoilt, dropped.
    """

    rows: int
    unseen: tuple[Rows, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """The verdict on one camera's rows.

    Attributes:
        camera: its id.
        passed: rows that passed it.
        inspected: rows that the station's books say were looked at.
        told: rows of all `event/coverage`, by the camera's row counter.
        by_encoder: rows beyond those that only the encoder saw: a restarted camera begins to count
            anew, so nobody knows how many of them come late after all.
        blind: rows that nobody can have inspected and nobody was told of.
        double: rows that were told twice, as a stream counts them.
        beyond: rows that were told and never passed.
    """

    camera: str
    passed: int
    inspected: int
    told: int
    by_encoder: int
    blind: tuple[Rows, ...]
    double: tuple[Rows, ...]
    beyond: tuple[Rows, ...]

    @property
    def faults(self) -> list[str]:
        """What is wrong, in words; empty where nothing is."""
        named = (
            (self.blind, "nobody saw and nobody was told of"),
            (self.double, "were told twice"),
            (self.beyond, "were told and never passed"),
        )
        found = [f"rows {_some(rows)} {words}" for rows, words in named if rows]
        unbooked = self.passed - self.inspected - self.told
        if unbooked > self.by_encoder:
            found.append(f"{unbooked - self.by_encoder} rows were neither inspected nor told")
        if unbooked < 0:
            found.append(f"{-unbooked} rows were both inspected and told")
        return [f"{self.camera}: {fault}" for fault in found]

    @property
    def content(self) -> bool:
        """Whether each row was booked, and booked once."""
        return not self.faults

    def __str__(self) -> str:
        verdict = "; ".join(self.faults) or "each row once"
        books = f"{self.passed} rows = {self.inspected} inspected + {self.told} told"
        if self.by_encoder:
            books += f" + up to {self.by_encoder} by the encoder"
        return f"{self.camera}: {books}: {verdict}"


def judge_coverage(
    camera: str,
    passed: Passed,
    *,
    messages: Iterable[Message],
    inspected: int,
    mm_per_row: float,
) -> Coverage:
    """Hold the station's books against what passed a camera.

    Args:
        camera: its id.
        passed: what did.
        messages: every message once; only this camera's `event/coverage` are looked at.
        inspected: rows that the station says it has looked at.
        mm_per_row: the camera's scale; the encoder stands at 0 before the first row.
    """
    told = [
        message
        for message in messages
        if message["schema"] == "edge-daemon/coverage/v1" and message["camera"] == camera
    ]
    places = _merge(
        (round(event["from_mm"] / mm_per_row), round(event["to_mm"] / mm_per_row)) for event in told
    )
    rows_told = sum(event["lines"] for event in told)
    return Coverage(
        camera=camera,
        passed=passed.rows,
        inspected=inspected,
        told=rows_told,
        by_encoder=max(sum(end - start for start, end in places) - rows_told, 0),
        blind=tuple(_outside(passed.unseen, places)),
        double=tuple(_told_twice(told)),
        beyond=tuple(_outside(places, [(0, passed.rows)])),
    )


def _told_twice(events: Iterable[Message]) -> Iterator[Rows]:
    streams: dict[str, list[Rows]] = {}
    for event in events:
        streams.setdefault(event["stream"], []).append((event["from_line"], event["to_line"]))
    for rows in streams.values():
        yield from _overlaps(rows)


def _merge(rows: Iterable[Rows]) -> list[Rows]:
    merged: list[Rows] = []
    for start, end in sorted(rows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _overlaps(rows: Iterable[Rows]) -> list[Rows]:
    ordered = sorted(each for each in rows if each[0] < each[1])
    return [(b[0], min(a[1], b[1])) for a, b in pairwise(ordered) if b[0] < a[1]]


def _outside(rows: Iterable[Rows], merged: Iterable[Rows]) -> list[Rows]:
    """Those of the rows that are not wholly within the merged ones."""
    within = [*merged]
    return [
        (start, end)
        for start, end in rows
        if start < end and not any(a <= start and end <= b for a, b in within)
    ]


def _some(items: Sequence[object]) -> str:
    shown = ", ".join(str(item) for item in items[:_SHOWN])
    return shown if len(items) <= _SHOWN else f"{shown}, ..."
