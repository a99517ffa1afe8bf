"""A body on its way: what it is announced with, and the envelope that it gets when it is stored."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from edge_daemon.core.messages import Body, DurableBody

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A fact that has to reach the plant.

    Attributes:
        body: what is to be told; it knows its topic and whether the broker retains it.
        arrived_monotonic_ns: when the frame came in that it stems from, for the latency from
            arrival to confirmation; None where no frame is behind it.
    """

    body: DurableBody
    arrived_monotonic_ns: int | None = None

    @property
    def topic(self) -> str:
        """The topic below the root."""
        return self.body.topic

    @property
    def retain(self) -> bool:
        """Whether the broker keeps it for those who subscribe later."""
        return self.body.retain


def schema_name(kind: str) -> str:
    """Return what stands in a message's `schema`."""
    return f"edge-daemon/{kind}/v1"


def iso_utc(unix_ns: int) -> str:
    """Return a time as it is written in messages; what is finer than a microsecond is cut off."""
    moment = _EPOCH + timedelta(microseconds=unix_ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z"


def to_wire(body: Body, *, message_id: UUID, seq: int, ts_ns: int) -> bytes:
    """Put a body into its envelope.

    Args:
        body: what is told.
        message_id: UUIDv7 that subscribers recognise duplicates by.
        seq: place in the station's sequence.
        ts_ns: when it was stored, ns since 1970 UTC.
    """
    message: dict[str, Any] = {
        "id": str(message_id),
        "seq": seq,
        "ts": iso_utc(ts_ns),
        "schema": schema_name(body.kind),
        **body.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
