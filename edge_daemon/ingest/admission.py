"""What is asked of a message before it may wait: is it who it says, is it too many, is it too much.

What is refused here goes on without its pixels: it is counted, and booked where its place may be
believed. An impostor's isn't: all that is kept of it is whose key it came with.
"""

import math
from collections.abc import Container
from dataclasses import replace
from typing import Final

from edge_daemon.errors import FrameError, RejectReason
from edge_daemon.ingest.allowance import Allowance
from edge_daemon.ingest.backlog import left_out
from edge_daemon.outcomes import Message

_MIB: Final = 2**20


class Admission:
    """Judges messages one by one; keeps nothing but how many came of each camera lately.

    Args:
        max_payload_bytes: a larger payload is left out.
        keyed: cameras that are believed with their own key only.
        max_frames_per_s: of each camera; more are left out.
        most_cameras: so many are told apart.
    """

    def __init__(
        self,
        *,
        max_payload_bytes: int,
        keyed: Container[str] = (),
        max_frames_per_s: float = math.inf,
        most_cameras: int = 64,
    ) -> None:
        self._max_payload_bytes = max_payload_bytes
        self._keyed = keyed
        self._max_frames_per_s = max_frames_per_s
        self._allowance = Allowance(max_frames_per_s, most_cameras=most_cameras)

    def judge(self, message: Message, owner: str | None) -> Message:
        """The message, or what is left of it.

        Args:
            message: as it came; needs the time of its arrival.
            owner: the camera whose key it came with, None where it came without one.
        """
        message = self._hold_to_its_key(message, owner)
        is_in_time = self._allowance.take(message.sender, now_ns=message.arrived_monotonic_ns or 0)
        largest = max((len(part) for part in message.parts), default=0)
        if message.left_out is not None:
            return message
        if largest > self._max_payload_bytes:
            detail = (
                f"{largest / _MIB:.1f} MiB, {self._max_payload_bytes / _MIB:.1f} at most "
                "([ingest] max_payload_mib)"
            )
            return left_out(message, RejectReason.PAYLOAD_SIZE, detail)
        if not is_in_time:
            detail = f"more than {self._max_frames_per_s:g} a second ([ingest] max_frames_per_s)"
            return left_out(message, RejectReason.RATE, detail)
        return message

    def _hold_to_its_key(self, message: Message, owner: str | None) -> Message:
        """The message if it is who it says; else the id of who sent it, as far as that is known."""
        claimed = message.sender
        if claimed == owner or (owner is None and claimed not in self._keyed):
            return message
        whose = "no key" if owner is None else f"the key of {owner!r}"
        error = FrameError(
            RejectReason.IMPOSTOR,
            f"it came with {whose} and says it is of {claimed!r}; a camera that has a public_key "
            "sends by tcp, with its own key and under its own id",
        )
        return replace(message, parts=[(owner or "").encode()], left_out=error)
