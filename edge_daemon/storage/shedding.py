"""Which messages go when the outbox may not grow any further and nobody takes what is in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge_daemon.core.envelope import Announcement, iso_utc
from edge_daemon.core.messages import LossEvent
from edge_daemon.core.reasons import LossReason
from edge_daemon.errors import StoreError
from edge_daemon.storage.database import FullError
from edge_daemon.storage.rows import Scribe, StoredMessage, Weight, insert
from edge_daemon.storage.store import Store

_LOOK_ROWS: Final = 20_000
_ROW_BYTES: Final = 150
_LEAST_BYTES: Final = 1 << 16
_SHEDDABLE: Final = tuple(weight for weight in Weight if weight is not Weight.ACCOUNT)


@dataclass(frozen=True, slots=True)
class Victims:
    """Messages that are given up together.

    Attributes:
        seqs: ascending.
        first_ns: the earliest time at which one was stored, ns since 1970 UTC.
        last_ns: the latest.
    """

    seqs: Sequence[int]
    first_ns: int
    last_ns: int

    def account(self) -> LossEvent:
        """Return what subscribers are told about them."""
        return LossEvent(
            reason=LossReason.OUTBOX_FULL,
            count=len(self.seqs),
            exact=True,
            first_seq=self.seqs[0],
            last_seq=self.seqs[-1],
            first_at=iso_utc(self.first_ns),
            last_at=iso_utc(self.last_ns),
        )


@dataclass(frozen=True, slots=True)
class Room:
    """What came of trying to make room.

    Attributes:
        try_again: whether a commit may succeed now, or another try to make room.
        told: what was announced about it.
    """

    try_again: bool
    told: Sequence[StoredMessage] = ()


class Shedder:
    """Gives messages up, the lightest first, of equal ones the oldest, and tells of it.

    A look goes through a limited number of rows, so that the thread keeps giving signs of life over
    an outbox of a GiB. What was looked through for a weight isn't again.

    Args:
        store: open when used.
        scribe: writes the account.

    Attributes:
        count: messages given up.
    """

    def __init__(self, store: Store, scribe: Scribe) -> None:
        self.count = 0
        self._store = store
        self._scribe = scribe
        self._seen: Counter[Weight] = Counter()
        self._chosen: list[tuple[int, int]] = []
        self._chosen_bytes = 0
        self._times = 1

    def look_again(self) -> None:
        """Forget what was looked through: messages have come back that had been out of reach."""
        self._seen.clear()
        self._chosen.clear()
        self._chosen_bytes = 0

    def shed(self, *, wanted_bytes: int) -> Room:
        """Give up about as much; in one transaction with the account of it.

        Raises:
            StoreError: not even that could be written.
        """
        wanted_bytes = max(wanted_bytes, _LEAST_BYTES) * self._times
        exhausted = self._look(wanted_bytes)
        if not exhausted and self._chosen_bytes < wanted_bytes:
            return Room(try_again=True)
        if not self._chosen:
            return Room(try_again=False)
        try:
            account = self._give_up(_victims(self._chosen))
        except FullError:
            # Rows here and there leave holes on many pages, and none of them free: more must go.
            self._times *= 2
            self.look_again()
            if exhausted:
                raise
            return Room(try_again=True)
        except StoreError:
            self.look_again()
            raise
        self._times = 1
        self._chosen.clear()
        self._chosen_bytes = 0
        return Room(try_again=True, told=[account])

    def _give_up(self, victims: Victims) -> StoredMessage:
        account = self._scribe.write(
            Announcement(victims.account()), self._store.counts.last_seq + 1
        )
        with self._store.booking(1) as connection:
            numbers = [(seq,) for seq in victims.seqs]
            dead = connection.executemany(
                "DELETE FROM outbox WHERE seq = ? AND fate = 'dead'", numbers
            ).rowcount
            waited = connection.executemany("DELETE FROM outbox WHERE seq = ?", numbers).rowcount
            insert(connection, [account])
        self._store.change(pending=-waited, dead=-dead)
        self.count += len(victims.seqs)
        return account.message

    def _look(self, wanted_bytes: int) -> bool:
        """Choose more, the lightest first; return whether nothing is left to look through."""
        last_seq = self._store.counts.last_seq
        budget = _LOOK_ROWS
        for weight in _SHEDDABLE:
            while self._seen[weight] < last_seq:
                if budget <= 0 or self._chosen_bytes >= wanted_bytes:
                    return False
                upto = min(self._seen[weight] + budget, last_seq)
                budget -= upto - self._seen[weight]
                self._choose(weight, upto, wanted_bytes)
        return True

    def _choose(self, weight: Weight, upto: int, wanted_bytes: int) -> None:
        rows = self._store.select(
            "SELECT seq, created_ns, length(payload) FROM outbox"
            " WHERE seq > ? AND seq <= ? AND weight = ? ORDER BY seq",
            (self._seen[weight], upto, int(weight)),
        )
        self._seen[weight] = upto
        for seq, created_ns, payload_bytes in rows:
            if self._chosen_bytes >= wanted_bytes:
                self._seen[weight] = seq - 1
                return
            self._chosen.append((seq, created_ns))
            self._chosen_bytes += payload_bytes + _ROW_BYTES


def _victims(chosen: list[tuple[int, int]]) -> Victims:
    ordered = sorted(chosen)
    times_ns = [created_ns for _, created_ns in ordered]
    return Victims([seq for seq, _ in ordered], min(times_ns), max(times_ns))
