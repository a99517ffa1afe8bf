"""Confirmed messages that are kept for a moment, since a broker forgets when it is killed.

An acknowledgement says that the broker has taken a message, not that it is on its disk. So a
message that was confirmed stays in the outbox for a while, and when the connection breaks without
our doing, those confirmed shortly before are sent again: the broker may have died. The `id` tells
subscribers which they have.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from edge_daemon.clock import Clock
from edge_daemon.storage.outbox import Outbox

_KEEP_NS: Final = 30_000_000_000
_LATE_NS: Final = 5_000_000_000
_MOST_MESSAGES: Final = 10_000
_MOST_BYTES: Final = 16 << 20
_BATCH: Final = 500
# A link that never carries more than a few messages would go round in circles without a limit.
_MOST_RECALLS: Final = 3


class Journal:
    """Knows when which message was confirmed, by the monotonic clock; the outbox keeps them.

    Args:
        outbox: open.
        clock: monotonic time.
        most_messages: so many are kept at most; the oldest go first.
    """

    def __init__(
        self, outbox: Outbox, clock: Clock, *, most_messages: int = _MOST_MESSAGES
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._most_messages = most_messages
        # In the order of confirmation.
        self._confirmed: dict[int, tuple[int, int]] = {}
        self._bytes = 0
        self._recalls: Counter[int] = Counter()
        self._ended_ns: int | None = None

    def was_recalled(self, seq: int) -> bool:
        """Whether a message had been confirmed before, and is sent again."""
        return seq in self._recalls

    def link_ended(self) -> None:
        """The connection broke, and the broker may have forgotten what it took."""
        self._ended_ns = self._clock.monotonic_ns()

    def write_down(self, confirmed: Mapping[int, int]) -> None:
        """Keep what was confirmed, delete what has been kept long enough, take back what must be.

        Args:
            confirmed: `seq` and size in bytes.

        Raises:
            StoreError: nothing of what failed was changed; call again.
        """
        now_ns = self._clock.monotonic_ns()
        # What has to be taken back must not be deleted, however long ago the end came.
        done = self._done(now_ns, len(confirmed)) if self._ended_ns is None else []
        if confirmed or done:
            self._outbox.settle(confirmed, confirmed_ns=now_ns, forget=done)
            self._drop(done)
            self._recalls -= Counter(dict.fromkeys(done, _MOST_RECALLS))
            self._drop(list(confirmed))
            self._confirmed |= {seq: (now_ns, size) for seq, size in confirmed.items()}
            self._bytes += sum(confirmed.values())
        if self._ended_ns is not None:
            self._recall(self._ended_ns)
            self._ended_ns = None

    def _recall(self, ended_ns: int) -> None:
        seqs = [
            seq
            for seq, (confirmed_ns, _) in self._confirmed.items()
            if ended_ns - confirmed_ns <= _KEEP_NS and self._recalls[seq] < _MOST_RECALLS
        ]
        if seqs:
            self._outbox.recall(seqs)
            self._drop(seqs)
            self._recalls.update(seqs)

    def _done(self, now_ns: int, more: int) -> list[int]:
        """Return what needn't be kept, when it is worth a transaction or overdue."""
        done: list[int] = []
        count, size_bytes, overdue = len(self._confirmed) + more, self._bytes, False
        for seq, (confirmed_ns, payload_bytes) in self._confirmed.items():
            too_many = count > self._most_messages or size_bytes > _MOST_BYTES
            age_ns = now_ns - confirmed_ns
            if len(done) >= _BATCH or not (too_many or age_ns > _KEEP_NS):
                break
            done.append(seq)
            count -= 1
            size_bytes -= payload_bytes
            overdue |= too_many or age_ns > _KEEP_NS + _LATE_NS
        return done if overdue or len(done) >= _BATCH else []

    def _drop(self, seqs: list[int]) -> None:
        for seq in seqs:
            _, size_bytes = self._confirmed.pop(seq, (0, 0))
            self._bytes -= size_bytes
