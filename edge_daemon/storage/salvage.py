"""What can still be read out of an outbox that can't be used.

Read is what lies on the file's pages (`pages`), and believed is what proves itself: a row of the
outbox is one whose payload is a message of ours that carries the row's own key as its `seq`. So
neither the schema nor the order of columns matters, and a database of a newer daemon gives what
this one can send. Messages that were confirmed a moment ago may be among it: they are sent again.
"""

import json
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from edge_daemon.core.messages import BODIES, LossEvent
from edge_daemon.core.reasons import LossReason
from edge_daemon.storage.mark import Marked, read_mark
from edge_daemon.storage.pages import PageFile, Record
from edge_daemon.storage.rows import Row, StoredMessage, Weight

_DURABLE: Final = {
    f"edge-daemon/{body.kind}/v1": body for body in BODIES if body.kind not in {"status", "health"}
}
_SEQ: Final = re.compile(rb'"seq":(\d{1,18}),"ts":"')
_MOST_MISSING: Final = 1_000_000


@dataclass(slots=True)
class Salvage:
    """What was found.

    Attributes:
        rows: messages by `seq`.
        documents: of the pipeline.
        seq: the number that the sequence has to go on behind.
        seq_is_known: whether that is the last that was given; else it is above it, as far as
            anybody can know.
        commits: for the new database.
    """

    rows: dict[int, Row] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    seq: int = 0
    seq_is_known: bool = False
    commits: int = 0

    def loss(self) -> LossEvent:
        """Return the account of what is missing, for the new database."""
        first = min(self.rows, default=self.seq + 1)
        missing = [
            n
            for n in range(max(first, self.seq - _MOST_MISSING), self.seq + 1)
            if n not in self.rows
        ]
        return LossEvent(
            reason=LossReason.STATE_LOST,
            count=len(missing),
            exact=False,
            first_seq=missing[0] if missing else None,
            last_seq=missing[-1] if missing else None,
            saved=len(self.rows),
        )


def salvage(path: Path, *, at_least_seq: int = 0) -> Salvage:
    """Read what can be read; the file stays as it is.

    Args:
        path: the database; its log and its mark lie beside it.
        at_least_seq: the last number given, where the caller knows; 0 where it doesn't.

    Raises:
        OSError: the disk doesn't give the file.
    """
    mark = read_mark(path)
    found = Salvage()
    station: tuple[int, int] | None = None
    for record in PageFile(path).records():
        if (row := _row(record)) is not None:
            found.rows[row.message.seq] = row
        elif record.rowid is None and _are(record, str, str):
            key, value = record.values[:2]
            found.documents[str(key)] = str(value)
        elif record.rowid == 1 and _are(record, type(None), int):
            numbers = [value for value in record.values[1:] if isinstance(value, int)]
            station = max(station or (0, 0), (numbers[0], numbers[1] if len(numbers) > 1 else 0))
    _count(found, station, mark, seen=_numbers_seen(path), at_least_seq=at_least_seq)
    return found


def _count(
    found: Salvage,
    station: tuple[int, int] | None,
    mark: Marked | None,
    *,
    seen: int,
    at_least_seq: int,
) -> None:
    told = mark or Marked()
    if mark is not None:
        # A digit that flipped would lift the sequence to the skies.
        found.rows = {seq: row for seq, row in found.rows.items() if seq <= mark.ceiling}
        seen = seen if seen <= mark.ceiling else 0
    highest = max(at_least_seq, station[0] if station else 0, seen, told.seq, *found.rows, 0)
    sound = station is not None and station[0] == highest and station[1] >= told.commits
    found.seq_is_known = at_least_seq > 0 or sound
    found.seq = highest if found.seq_is_known else max(highest, told.ceiling)
    found.commits = max(told.commits, station[1] if station else 0)


def _are(record: Record, *kinds: type) -> bool:
    return len(record.values) >= len(kinds) and all(
        isinstance(value, kind) for value, kind in zip(record.values, kinds, strict=False)
    )


def _row(record: Record) -> Row | None:
    """Return a row of the outbox, if that is what a record is."""
    payloads = [value for value in record.values if isinstance(value, bytes)]
    if record.rowid is None or record.rowid < 1 or len(payloads) != 1:
        return None
    try:
        message = json.loads(payloads[0])
        body = _DURABLE[message["schema"]]
        UUID(message["id"])
        created_ns = int(datetime.fromisoformat(message["ts"]).timestamp()) * 1_000_000_000
    except (ValueError, KeyError, TypeError, OverflowError):
        return None
    if message.get("seq") != record.rowid:
        return None
    topic = body.topic_pattern.replace("{name}", str(message.get("name")))
    stored = StoredMessage(record.rowid, topic, body.retain, payloads[0], created_ns, None)
    return Row(stored, message["id"], _weigh(body.kind, message))


def _weigh(kind: str, message: dict[str, Any]) -> Weight:
    if kind == "defect":
        light = {"minor": Weight.MINOR_DEFECT, "major": Weight.MAJOR_DEFECT}
        return light.get(str(message.get("severity")), Weight.CRITICAL)
    if kind == "coil" and message.get("state") == "begun":
        return Weight.COIL_BEGUN
    return {
        "coil": Weight.STATE,
        "alarm": Weight.STATE,
        "loss": Weight.ACCOUNT,
    }.get(kind, Weight.CRITICAL)


def _numbers_seen(path: Path) -> int:
    """Return the highest `seq` in any payload, however damaged its row is."""
    highest = 0
    for file in (path, path.with_name(f"{path.name}-wal")):
        if file.exists():
            found = _SEQ.findall(file.read_bytes())
            highest = max(highest, *map(int, found), 0)
    return highest
