"""The outbox: what was announced, on disk until the broker has confirmed it.

One SQLite file holds three tables that change together, in one transaction:

- `outbox`: a row for each message not yet confirmed, keyed by its `seq`, as the very bytes that go
  out (`pending`), or given up until the next start (`dead`, with the reason); and, for a moment,
  those that were confirmed (`confirmed_monotonic_ns`), in case the broker forgets them;
- `station`: one row, the last `seq` given and how many bookings were committed;
- `state`: JSON documents of the pipeline (how far each camera was inspected, open coils), so that
  what is claimed as inspected and what is announced about it can't part company in a crash.

WAL with `synchronous=FULL`: with less, a power cut takes back rows that were committed. Exactly one
connection, exclusive, used by the thread that opened it: SQLite before 3.51.3 can corrupt a WAL
file when two connections write and checkpoint at the same time.
"""

import json
import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge_daemon.clock import Clock
from edge_daemon.core.envelope import Announcement
from edge_daemon.core.messages import Body
from edge_daemon.errors import StoreError
from edge_daemon.storage.database import Connector, FullError, connect
from edge_daemon.storage.doubt import Doubt
from edge_daemon.storage.recovery import Recovery
from edge_daemon.storage.rows import (
    Scribe,
    StoredMessage,
    delete_confirmed,
    insert,
    mark_confirmed,
    set_documents,
)
from edge_daemon.storage.shedding import Room, Shedder
from edge_daemon.storage.store import Store

DEFAULT_MAX_BYTES: Final = 1 << 30

_SHED_PART: Final = 64
_ROW_BYTES: Final = 300


class Outbox:
    """The durable store, open between `__enter__` and `__exit__`, for one thread.

    Args:
        path: the database file; its folder is made where it is missing.
        clock: gives `ts` and the time in the ids.
        random_bytes: randomness of the ids, `os.urandom` but for replays.
        max_bytes: the file grows no further than this; beyond it `commit` fails while confirming
            still works, so that a full outbox can drain.
        connector: opens a file with SQLite.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        random_bytes: Callable[[int], bytes] = os.urandom,
        max_bytes: int = DEFAULT_MAX_BYTES,
        connector: Connector = connect,
    ) -> None:
        self._scribe = Scribe(clock, random_bytes)
        self._max_bytes = max_bytes
        self._store = Store(
            path, clock, scribe=self._scribe, max_bytes=max_bytes, connector=connector
        )
        self._shedder = Shedder(self._store, self._scribe)
        self._refused_bytes = 0
        self._doubt = Doubt(self._store)
        self._oldest_seq = 0

    def __enter__(self) -> Self:
        self._store.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._store.close()

    @property
    def recovery(self) -> Recovery | None:
        """What became of a database that couldn't be used; None is the rule."""
        return self._store.recovery

    @property
    def last_seq(self) -> int:
        """The seq of the last message stored; 0 before the first."""
        return self._store.counts.last_seq

    @property
    def depth(self) -> int:
        """How many messages wait for confirmation, without the dead ones."""
        return self._store.counts.pending

    @property
    def dead(self) -> int:
        """How many messages were given up until the next start."""
        return self._store.counts.dead

    @property
    def shed(self) -> int:
        """How many messages were given up for want of room."""
        return self._shedder.count

    def commit(
        self, announcements: Sequence[Announcement], state: Mapping[str, str | None]
    ) -> list[StoredMessage]:
        """Make announcements and the state that belongs to them durable, all or nothing.

        Args:
            announcements: get the next numbers of the sequence, in this order.
            state: documents to set, or with None to remove.

        Raises:
            FullError: the file may not grow, or the disk is full: `make_room` may help.
            StoreError: nothing was changed; the same call may be repeated.
        """
        if not (announcements or state):
            return []
        self._store.opened()
        done = self._doubt.stored(announcements)
        rows = [
            self._scribe.write(announcement, self.last_seq + place)
            for place, announcement in enumerate(announcements[len(done) :], start=1)
        ]
        wanted_bytes = sum(_ROW_BYTES + len(row.message.payload) for row in rows) + sum(
            len(text or "") for text in state.values()
        )
        try:
            with self._store.booking(len(rows), wanted_bytes) as connection:
                insert(connection, rows)
                set_documents(connection, state)
        except FullError:
            self._refused_bytes = wanted_bytes
            raise
        except StoreError:
            self._doubt.remember(announcements, rows)
            raise
        self._doubt.forget()
        return [row.message for row in (*done, *rows)]

    def make_room(self) -> Room:
        """Let go of what matters least, after a `commit` that was refused with `FullError`.

        Where it is the disk that is full, nothing would be won by it.

        Raises:
            StoreError: not even that could be written.
        """
        if not self._store.is_at_its_limit(self._refused_bytes):
            return Room(try_again=False)
        if self._store.counts.confirmed:
            self.forget_confirmed()
            return Room(try_again=True)
        return self._shedder.shed(
            wanted_bytes=max(2 * self._refused_bytes, self._max_bytes // _SHED_PART)
        )

    def state(self) -> dict[str, str]:
        """Return all documents of the pipeline."""
        return dict(self._store.select("SELECT key, value FROM state ORDER BY key"))

    def pending(
        self, *, after_seq: int, limit: int, held_topics: Collection[str] = ()
    ) -> list[StoredMessage]:
        """Return up to `limit` messages behind `after_seq`, in order, but none of held topics."""
        rows = self._store.select(
            "SELECT seq, topic, retain, payload, created_ns, arrived_monotonic_ns FROM outbox"
            " WHERE seq > ? AND fate = 'pending' AND confirmed_monotonic_ns IS NULL"
            " AND topic NOT IN (SELECT value FROM json_each(?)) ORDER BY seq LIMIT ?",
            (after_seq, json.dumps(list(held_topics)), limit),
        )
        return [
            StoredMessage(seq, topic, bool(retain), payload, created_ns, arrived_ns)
            for seq, topic, retain, payload, created_ns, arrived_ns in rows
        ]

    def oldest_ns(self) -> int | None:
        """Return when the oldest waiting message was stored, ns since 1970 UTC."""
        if not self.depth:
            return None
        rows = self._store.select(
            "SELECT seq, created_ns FROM outbox WHERE seq >= ? AND fate = 'pending'"
            " AND confirmed_monotonic_ns IS NULL ORDER BY seq LIMIT 1",
            (self._oldest_seq,),
        )
        # Saves going through all that is confirmed and still kept, the next time.
        for seq, created_ns in rows:
            self._oldest_seq = seq
            return int(created_ns)
        return None

    def settle(
        self, confirmed: Collection[int], *, confirmed_ns: int, forget: Collection[int] = ()
    ) -> None:
        """Note what the broker has confirmed, and delete what was confirmed long enough ago.

        Args:
            confirmed: stay in the file for a while.
            confirmed_ns: monotonic time.
            forget: to be deleted.

        Raises:
            StoreError: nothing was changed.
        """
        try:
            with self._store.writing() as connection:
                kept = mark_confirmed(connection, confirmed, confirmed_ns=confirmed_ns)
                gone = delete_confirmed(connection, forget)
        except FullError:
            # A row gets longer by the time. Where there is no room for that, nothing is kept.
            with self._store.writing() as connection:
                connection.executemany(
                    "DELETE FROM outbox WHERE seq = ? AND fate = 'pending'",
                    [(seq,) for seq in {*confirmed, *forget}],
                )
            self._store.recount()
        else:
            self._store.change(pending=-kept, confirmed=kept - gone)

    def recall(self, seqs: Iterable[int] | None = None) -> int:
        """Let confirmed messages wait again, as if they hadn't been; return how many.

        Args:
            seqs: which; None: all, as after a crash.

        Raises:
            StoreError: nothing was changed.
        """
        if not self._store.counts.confirmed:
            return 0
        which = None if seqs is None else json.dumps(list(seqs))
        with self._store.writing() as connection:
            recalled = connection.execute(
                "UPDATE outbox SET confirmed_monotonic_ns = NULL"
                " WHERE confirmed_monotonic_ns IS NOT NULL"
                " AND (?1 IS NULL OR seq IN (SELECT value FROM json_each(?1)))",
                (which,),
            ).rowcount
        self._store.change(pending=recalled, confirmed=-recalled)
        self._oldest_seq = 0
        self._shedder.look_again()
        return recalled

    def forget_confirmed(self) -> None:
        """Delete all that was confirmed.

        Raises:
            StoreError: nothing was changed.
        """
        with self._store.writing() as connection:
            connection.execute("DELETE FROM outbox WHERE confirmed_monotonic_ns IS NOT NULL")
        self._store.change(confirmed=-self._store.counts.confirmed)

    def bury(self, seq: int, reason: str) -> None:
        """Stop offering a message that the broker will never take as it is.

        Raises:
            StoreError: nothing was changed.
        """
        with self._store.writing() as connection:
            buried = connection.execute(
                "UPDATE outbox SET fate = 'dead', reason = ? WHERE seq = ? AND fate = 'pending'",
                (reason, seq),
            ).rowcount
        self._store.change(pending=-buried, dead=buried)

    def revive(self) -> int:
        """Offer the dead ones again, as the daemon does when it starts; return how many.

        Raises:
            StoreError: nothing was changed.
        """
        revived = self.dead
        if revived:
            with self._store.writing() as connection:
                connection.execute(
                    "UPDATE outbox SET fate = 'pending', reason = NULL WHERE fate = 'dead'"
                )
            self._store.change(pending=revived, dead=-revived)
            self._oldest_seq = 0
        return revived

    def stamp(self, body: Body) -> bytes:
        """Put a body that isn't kept into its envelope, with the `seq` of the last that is."""
        return self._scribe.stamp(body, self.last_seq)
