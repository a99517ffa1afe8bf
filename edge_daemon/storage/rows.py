"""A message as a row of the outbox, and how much it matters."""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from edge_daemon.clock import Clock
from edge_daemon.core.envelope import Announcement, to_wire
from edge_daemon.core.ids import RANDOM_BYTES, uuid7
from edge_daemon.core.messages import (
    AlarmState,
    Body,
    CoilEvent,
    DefectEvent,
    DurableBody,
    LossEvent,
)
from edge_daemon.core.reasons import Severity


class Weight(IntEnum):
    """Which messages go first when there is no room for all; the lightest do.

    That a coil has begun stands in the message of its end, too. What nobody looked at and what is
    critical goes last; the account of what went never does.
    """

    COIL_BEGUN = 0
    MINOR_DEFECT = 1
    MAJOR_DEFECT = 2
    STATE = 3
    CRITICAL = 4
    ACCOUNT = 5


def weigh(body: DurableBody) -> Weight:
    """Return how much a message matters."""
    match body:
        case LossEvent():
            return Weight.ACCOUNT
        case DefectEvent(severity=Severity.MINOR):
            return Weight.MINOR_DEFECT
        case DefectEvent(severity=Severity.MAJOR):
            return Weight.MAJOR_DEFECT
        case CoilEvent(state="begun"):
            return Weight.COIL_BEGUN
        case CoilEvent() | AlarmState():
            return Weight.STATE
        case _:
            return Weight.CRITICAL


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as it lies in the outbox and goes out.

    Attributes:
        seq: place in the station's sequence.
        topic: below the root.
        retain: whether the broker shall keep it.
        payload: UTF-8 JSON, envelope included.
        created_ns: wall time of storing, ns since 1970 UTC.
        arrived_monotonic_ns: when the frame behind it arrived; only meaningful in the process
            that stored it.
    """

    seq: int
    topic: str
    retain: bool
    payload: bytes
    created_ns: int
    arrived_monotonic_ns: int | None


@dataclass(frozen=True, slots=True)
class Row:
    """A message with what else its row holds."""

    message: StoredMessage
    message_id: str
    weight: int


class Scribe:
    """Puts facts into their envelopes.

    Args:
        clock: gives `ts` and the time in the ids.
        random_bytes: randomness of the ids, `os.urandom` but for replays.
    """

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        self._clock = clock
        self._random_bytes = random_bytes

    def write(self, announcement: Announcement, seq: int) -> Row:
        """Return the row of an announcement that gets this place in the sequence."""
        now_ns = self._clock.now_ns()
        message_id, payload = self._wire(announcement.body, seq, now_ns)
        message = StoredMessage(
            seq,
            announcement.topic,
            announcement.retain,
            payload,
            now_ns,
            announcement.arrived_monotonic_ns,
        )
        return Row(message, message_id, weigh(announcement.body))

    def stamp(self, body: Body, seq: int) -> bytes:
        """Put a body that isn't kept into its envelope, with the `seq` of the last that is."""
        return self._wire(body, seq, self._clock.now_ns())[1]

    def _wire(self, body: Body, seq: int, now_ns: int) -> tuple[str, bytes]:
        # An id has no room for a time before 1970; the random part alone keeps it apart then.
        message_id = uuid7(max(now_ns, 0), self._random_bytes(RANDOM_BYTES))
        return str(message_id), to_wire(body, message_id=message_id, seq=seq, ts_ns=now_ns)


def insert(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Put rows into the outbox, inside the caller's transaction."""
    connection.executemany(
        "INSERT INTO outbox (seq, message_id, topic, retain, payload, created_ns,"
        " arrived_monotonic_ns, weight) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (m.seq, row.message_id, m.topic, m.retain, m.payload, m.created_ns,
             m.arrived_monotonic_ns, row.weight)
            for row in rows for m in (row.message,)
        ],
    )  # fmt: skip


def set_documents(connection: sqlite3.Connection, state: Mapping[str, str | None]) -> None:
    """Set documents, or with None remove them, inside the caller's transaction."""
    connection.executemany(
        "DELETE FROM state WHERE key = ?",
        [(key,) for key, value in state.items() if value is None],
    )
    connection.executemany(
        "INSERT INTO state (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [(key, value) for key, value in state.items() if value is not None],
    )


def mark_confirmed(
    connection: sqlite3.Connection, seqs: Collection[int], *, confirmed_ns: int
) -> int:
    """Note when messages were confirmed, inside the caller's transaction.

    Args:
        connection: the open database.
        seqs: which; those that don't wait are left as they are.
        confirmed_ns: monotonic time.

    Returns:
        How many of them waited.
    """
    changed = connection.executemany(
        "UPDATE outbox SET confirmed_monotonic_ns = ?"
        " WHERE seq = ? AND fate = 'pending' AND confirmed_monotonic_ns IS NULL",
        [(confirmed_ns, seq) for seq in seqs],
    )
    return max(changed.rowcount, 0)


def delete_confirmed(connection: sqlite3.Connection, seqs: Collection[int]) -> int:
    """Delete confirmed messages, inside the caller's transaction; return how many there were."""
    changed = connection.executemany(
        "DELETE FROM outbox WHERE seq = ? AND confirmed_monotonic_ns IS NOT NULL",
        [(seq,) for seq in seqs],
    )
    return max(changed.rowcount, 0)
