"""The outbox: what was announced, on disk until the broker has confirmed it.

One SQLite file holds three tables that change together, in one transaction:

- `outbox`: a row for each message not yet confirmed, keyed by its `seq`, as the very bytes that go
  out (`pending`), or given up until the next start (`dead`, with the reason);
- `station`: one row, the last `seq` given;
- `state`: JSON documents of the pipeline (how far each camera was inspected, open coils), so that
  what is claimed as inspected and what is announced about it can't part company in a crash.

WAL with `synchronous=FULL`: with less, a power cut takes back rows that were committed. Exactly one
connection, exclusive, used by the thread that opened it: SQLite before 3.51.3 can corrupt a WAL
file when two connections write and checkpoint at the same time.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edge_daemon.clock import Clock
from edge_daemon.core.ids import RANDOM_BYTES, uuid7
from edge_daemon.core.messages import Announcement, Body, to_wire
from edge_daemon.delivery.database import open_database, store_error, transaction
from edge_daemon.errors import StoreError

DEFAULT_MAX_BYTES = 1 << 30


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


class Outbox:
    """The durable store, open between `__enter__` and `__exit__`, for one thread.

    Args:
        path: the database file; its folder is made where it is missing.
        clock: gives `ts` and the time in the ids.
        random_bytes: randomness of the ids, `os.urandom` but for replays.
        max_bytes: the file grows no further than this; beyond it `commit` fails while confirming
            still works, so that a full outbox can drain.

    Attributes:
        set_aside: where a database that couldn't be used was moved on opening; else None.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self.set_aside: Path | None = None
        self._path = path
        self._clock = clock
        self._random_bytes = random_bytes
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None
        self._last_seq = 0
        self._depth = 0
        self._dead = 0

    def __enter__(self) -> Self:
        connection, self.set_aside = open_database(
            self._path, max_bytes=self._max_bytes, now_ns=self._clock.now_ns()
        )
        self._connection = connection
        self._last_seq = _number(connection, "SELECT seq FROM station")
        self._depth = _number(connection, "SELECT count(*) FROM outbox WHERE fate = 'pending'")
        self._dead = _number(connection, "SELECT count(*) FROM outbox WHERE fate = 'dead'")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def last_seq(self) -> int:
        """The seq of the last message stored; 0 before the first."""
        return self._last_seq

    @property
    def depth(self) -> int:
        """How many messages wait for confirmation, without the dead ones."""
        return self._depth

    @property
    def dead(self) -> int:
        """How many messages were given up until the next start."""
        return self._dead

    def commit(
        self, announcements: Sequence[Announcement], state: Mapping[str, str | None]
    ) -> list[StoredMessage]:
        """Make announcements and the state that belongs to them durable, all or nothing.

        Args:
            announcements: get the next numbers of the sequence, in this order.
            state: documents to set, or with None to remove.

        Raises:
            StoreError: nothing was changed; the same call may be repeated.
        """
        if not announcements and not state:
            return []
        messages = [
            self._stored(announcement, self._last_seq + place)
            for place, announcement in enumerate(announcements, start=1)
        ]
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO outbox (seq, message_id, topic, retain, payload, created_ns,"
                " arrived_monotonic_ns) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (m.seq, message_id, m.topic, m.retain, m.payload, m.created_ns,
                     m.arrived_monotonic_ns)
                    for message_id, m in messages
                ],
            )  # fmt: skip
            connection.execute("UPDATE station SET seq = seq + ?", (len(messages),))
            for key, value in state.items():
                if value is None:
                    connection.execute("DELETE FROM state WHERE key = ?", (key,))
                else:
                    connection.execute(
                        "INSERT INTO state (key, value) VALUES (?, ?)"
                        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                        (key, value),
                    )
        self._last_seq += len(messages)
        self._depth += len(messages)
        return [message for _, message in messages]

    def state(self) -> dict[str, str]:
        """Return all documents of the pipeline."""
        return dict(self._select("SELECT key, value FROM state ORDER BY key"))

    def pending(
        self, *, after_seq: int, limit: int, held_topics: Collection[str] = ()
    ) -> list[StoredMessage]:
        """Return up to `limit` messages behind `after_seq`, in order, but none of held topics."""
        rows = self._select(
            "SELECT seq, topic, retain, payload, created_ns, arrived_monotonic_ns FROM outbox"
            " WHERE seq > ? AND fate = 'pending' "
            " AND topic NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
            (after_seq, json.dumps(list(held_topics)), limit),
        )
        return [
            StoredMessage(seq, topic, bool(retain), payload, created_ns, arrived_ns)
            for seq, topic, retain, payload, created_ns, arrived_ns in rows
        ]

    def oldest_ns(self) -> int | None:
        """Return when the oldest waiting message was stored, ns since 1970 UTC."""
        if not self._depth:
            return None
        rows = self._select(
            "SELECT created_ns FROM outbox WHERE fate = 'pending' ORDER BY seq LIMIT 1"
        )
        return int(rows[0][0]) if rows else None

    def remove(self, seqs: Iterable[int]) -> None:
        """Delete messages that the broker has confirmed.

        Raises:
            StoreError: nothing was deleted; they would be sent again after a restart.
        """
        with self._transaction() as connection:
            gone = connection.executemany(
                "DELETE FROM outbox WHERE seq = ? AND fate = 'pending'", [(seq,) for seq in seqs]
            ).rowcount
        self._depth -= gone

    def bury(self, seq: int, reason: str) -> None:
        """Stop offering a message that the broker will never take as it is.

        Raises:
            StoreError: nothing was changed.
        """
        with self._transaction() as connection:
            buried = connection.execute(
                "UPDATE outbox SET fate = 'dead', reason = ? WHERE seq = ? AND fate = 'pending'",
                (reason, seq),
            ).rowcount
        self._depth -= buried
        self._dead += buried

    def revive(self) -> int:
        """Offer the dead ones again, as the daemon does when it starts; return how many.

        Raises:
            StoreError: nothing was changed.
        """
        revived = self._dead
        if revived:
            with self._transaction() as connection:
                connection.execute(
                    "UPDATE outbox SET fate = 'pending', reason = NULL WHERE fate = 'dead'"
                )
            self._depth += revived
            self._dead = 0
        return revived

    def stamp(self, body: Body) -> bytes:
        """Put a body that isn't kept into its envelope, with the `seq` of the last that is."""
        return self._wire(body, self._last_seq, self._clock.now_ns())[1]

    def _wire(self, body: Body, seq: int, now_ns: int) -> tuple[str, bytes]:
        message_id = uuid7(now_ns, self._random_bytes(RANDOM_BYTES))
        return str(message_id), to_wire(body, message_id=message_id, seq=seq, ts_ns=now_ns)

    def _stored(self, announcement: Announcement, seq: int) -> tuple[str, StoredMessage]:
        now_ns = self._clock.now_ns()
        message_id, payload = self._wire(announcement.body, seq, now_ns)
        return message_id, StoredMessage(
            seq,
            announcement.topic,
            announcement.retain,
            payload,
            now_ns,
            announcement.arrived_monotonic_ns,
        )

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return transaction(self._opened(), self._path)

    def _select(self, query: str, values: Sequence[str | int] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._opened().execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise store_error(self._path, error) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            raise StoreError(f"{self._path}: not open; use the outbox as a context manager")
        return self._connection


def _number(connection: sqlite3.Connection, query: str) -> int:
    return int(connection.execute(query).fetchone()[0])
