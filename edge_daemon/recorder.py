"""Keeps what cameras send, part by part and byte by byte, in a recording."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.clock import Clock
from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.endpoint import PullSocket, bind_pull
from edge_daemon.ingest.keys import Keyring
from edge_daemon.recordings.parts import MAX_MESSAGE_BYTES, can_be_kept
from edge_daemon.recordings.writing import RecordingWriter

_POLL_MS = 100
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RecordSummary:
    """What was recorded.

    Attributes:
        frames: messages that were kept.
        payload_bytes: the sum of their parts.
        refused: messages that were too large to be kept, or that one camera sent in the name of
            another.
    """

    frames: int = 0
    payload_bytes: int = 0
    refused: int = 0


def record(
    bind: str,
    out: Path,
    *,
    stop: threading.Event,
    clock: Clock,
    max_frames: int | None = None,
    max_seconds: float | None = None,
    overwrite: bool = False,
    keyring: Keyring | None = None,
    progress: Callable[[RecordSummary], None] | None = None,
) -> RecordSummary:
    """Receive in the daemon's place and keep every message, valid or not, until told to stop.

    Args:
        bind: address to listen on, ``tcp://...`` or ``ipc://...``.
        out: the recording; it is ``out.part`` until it is finished.
        stop: set it from outside to finish.
        clock: gives the times of receipt.
        max_frames: stop after so many messages.
        max_seconds: stop after so long.
        overwrite: replace what is there.
        keyring: the daemon's key and its cameras'; without it a tcp address is open to everybody.
        progress: called after every message, and at least ten times a second.

    Raises:
        EndpointError: the address can't be bound.
        RecordingError: the file can't be written.
    """
    summary = RecordSummary()
    end_ns = math.inf
    if max_seconds is not None:
        end_ns = clock.monotonic_ns() + max_seconds * _NS_PER_S
    with (
        Doorkeeper(keyring) as door,
        bind_pull(bind, max_part_bytes=MAX_MESSAGE_BYTES, door=door) as socket,
        RecordingWriter(out, overwrite=overwrite) as writer,
    ):
        while not stop.is_set() and clock.monotonic_ns() < end_ns:
            if door.failure is not None:
                raise door.failure
            summary = _take(socket, writer, door=door, clock=clock, summary=summary)
            if progress is not None:
                progress(summary)
            if summary.frames == max_frames:
                break
    return summary


def _take(
    socket: PullSocket,
    writer: RecordingWriter,
    *,
    door: Doorkeeper,
    clock: Clock,
    summary: RecordSummary,
) -> RecordSummary:
    """Keep the next message, or wait a moment for one."""
    if not socket.poll(_POLL_MS):
        writer.sync_when_due()
        return summary
    frames = socket.recv_multipart(copy=False)
    parts = [frame.bytes for frame in frames]
    owner = door.sender_of(frames[0], socket)
    is_impostor = owner is not None and parts[0] != owner.encode()
    if is_impostor or not can_be_kept(parts):
        return RecordSummary(summary.frames, summary.payload_bytes, summary.refused + 1)
    writer.write(parts, clock.now_ns())
    received = sum(len(part) for part in parts)
    return RecordSummary(summary.frames + 1, summary.payload_bytes + received, summary.refused)
