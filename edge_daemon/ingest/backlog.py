"""What has come in and waits to be looked at, and what is left out when too much waits.

A message that is left out is not thrown away whole: its header stays in its place in the queue, so
that its rows are booked as not inspected, in order, with the reason. What decides is the state of
the queue and the age of what is in it, never an estimate of a rate.
"""

import threading
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from edge_daemon.clock import Clock
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.core.wire import MAX_HEADER_BYTES, PARTS, Part
from edge_daemon.errors import FrameError, RejectReason
from edge_daemon.outcomes import Message

MOST_ENTRIES: Final = 4096
"""Headers of left-out messages take little room, but a camera can send them by the thousand."""
MAX_ID_BYTES: Final = 65
"""One more than an id may have."""


class Backlog:
    """A bounded queue in the order of arrival; one thread offers, another takes.

    Args:
        policy: what happens when a camera's frames don't fit.
        frames: how many of one camera may wait.
        max_bytes: how much of all cameras may wait; one message is always let in.
        max_age_s: of the policy `deadline`.
        clock: for ages.
    """

    def __init__(
        self, policy: DropPolicy, *, frames: int, max_bytes: int, max_age_s: float, clock: Clock
    ) -> None:
        self._policy = policy
        self._frames = frames
        self._max_bytes = max_bytes
        self._max_age_ns = int(max_age_s * 1e9)
        self._clock = clock
        self._entries: deque[Message] = deque()
        self._waiting: Counter[str] = Counter()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    @property
    def depth(self) -> int:
        """Frames that wait to be looked at."""
        return self._waiting.total()

    @property
    def cameras(self) -> frozenset[str]:
        """Cameras of whom something waits."""
        with self._changed:
            return frozenset(entry.sender for entry in self._entries)

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will come."""
        return self._closed and not self._entries

    def close(self) -> None:
        """No more will be offered."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def offer(self, message: Message, *, timeout_s: float = 0.0) -> bool:
        """Put a message in, or as much of it as the policy lets in.

        Returns:
            False if there was no room within the time: the caller keeps it and asks again.
        """
        camera = message.sender
        with self._changed:
            if not self._has_room(camera, message):
                if self._policy is DropPolicy.DROP_OLDEST:
                    self._leave_out_oldest(camera)
                elif self._policy is DropPolicy.DROP_NEWEST:
                    message = left_out(message, RejectReason.DROPPED, "too many frames wait")
            if not self._changed.wait_for(lambda: self._has_room(camera, message), timeout_s):
                return False
            self._entries.append(message)
            if message.left_out is None:
                self._waiting[camera] += 1
                self._bytes += _size(message.parts)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> Message | None:
        """Take the message that has waited longest, None if none came within the time."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._entries or self._closed, timeout_s):
                return None
            if not self._entries:
                return None
            message = self._entries.popleft()
            if message.left_out is None:
                self._forget(message)
            self._changed.notify_all()
        return self._judge_age(message)

    def _judge_age(self, message: Message) -> Message:
        arrived_ns = message.arrived_monotonic_ns
        if self._policy is not DropPolicy.DEADLINE or arrived_ns is None or message.left_out:
            return message
        if self._clock.monotonic_ns() - arrived_ns <= self._max_age_ns:
            return message
        return left_out(message, RejectReason.STALE, "it waited longer than [ingest] max_age_s")

    def _has_room(self, camera: str, message: Message) -> bool:
        if len(self._entries) >= MOST_ENTRIES:
            return False
        if message.left_out is not None:
            return True
        fits = self._bytes + _size(message.parts) <= self._max_bytes or not self._bytes
        return fits and self._waiting[camera] < self._frames

    def _leave_out_oldest(self, camera: str) -> None:
        """Leave out the frame of the camera's that has waited longest."""
        for place, entry in enumerate(self._entries):
            if entry.left_out is None and entry.sender == camera:
                self._forget(entry)
                self._entries[place] = left_out(
                    entry, RejectReason.DROPPED, "newer frames came while it waited"
                )
                return

    def _forget(self, message: Message) -> None:
        camera = message.sender
        self._waiting[camera] -= 1
        if not self._waiting[camera]:
            del self._waiting[camera]
        self._bytes -= _size(message.parts)


def _size(parts: Sequence[Part]) -> int:
    return sum(len(part) for part in parts)


def left_out(message: Message, reason: RejectReason, detail: str) -> Message:
    """The message without its pixels: what has to be booked stays, bounded whatever was sent.

    Parts that break the contract are cut so that they still break it.
    """
    parts: list[Part] = []
    if len(message.parts) == PARTS:
        camera, header, _ = message.parts
        parts = [bytes(camera[:MAX_ID_BYTES]), bytes(header[: MAX_HEADER_BYTES + 1]), b""]
    elif message.parts:
        parts = [bytes(message.parts[0][:MAX_ID_BYTES])]
    return replace(message, parts=parts, left_out=FrameError(reason, detail))
