"""What is sent, and what the receiving end makes of it."""

import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.errors import BenchmarkError
from edge_daemon.core.pixels import GreyImage

_Pixels = TypeVar("_Pixels")

DIFFERENT = 8
"""Frames that are sent in turn: a camera doesn't send the same cache lines again and again."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One passage of frames.

    Attributes:
        height_px: rows of a frame.
        width_px: columns of a frame.
        warm_up: frames before the clock runs: connections, queues and caches fill.
        frames: frames while it runs.
    """

    height_px: int
    width_px: int
    warm_up: int
    frames: int

    @property
    def count(self) -> int:
        """Frames to send."""
        return self.warm_up + self.frames

    @property
    def frame_bytes(self) -> int:
        """Of one frame's pixels."""
        return self.height_px * self.width_px

    @property
    def size(self) -> str:
        """For the tables: rows x columns."""
        return f"{self.height_px}x{self.width_px}"


@dataclass(frozen=True, slots=True)
class Departure:
    """What the sending process says of a passage.

    Attributes:
        began_s: when the first timed frame was handed to the sender, on the machine's clock.
        cpu_s: processor time since then, all its threads.
    """

    began_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Arrival:
    """What the receiving process says of a passage.

    Attributes:
        frames: that came after the warm-up.
        ended_s: when the last one had been read, on the machine's clock.
        cpu_s: processor time since the end of the warm-up, all its threads.
    """

    frames: int
    ended_s: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Passage:
    """What came of it.

    The clock runs from the sending of the first timed frame to the reading of the last: what was
    only waiting in a queue hasn't been carried.

    Attributes:
        arrived: frames after the warm-up.
        lost: of those that were sent.
        seconds: wall time in which they did.
        sender_cpu_s: processor time of the sending process.
        receiver_cpu_s: of the receiving one.
    """

    arrived: int
    lost: int
    seconds: float
    sender_cpu_s: float
    receiver_cpu_s: float

    @property
    def seconds_per_frame(self) -> float:
        """Wall time."""
        return self.seconds / self.arrived


def make_frames(plan: Plan) -> list[GreyImage]:
    """Noise, which is the same in every process."""
    rng = np.random.default_rng(7)
    shape = (plan.height_px, plan.width_px)
    return [rng.integers(0, 256, shape, np.uint8) for _ in range(DIFFERENT)]


class Dispatch:
    """Where every sending end takes its frames from.

    Attributes:
        plan: what to send.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._began_s = self._began_cpu_s = 0.0

    def images(self) -> Iterator[GreyImage]:
        """The frames to send."""
        return self._in_turn(make_frames(self.plan))

    def packed(self) -> Iterator[bytes]:
        """The same for a sender that takes nothing but bytes."""
        return self._in_turn([image.tobytes() for image in make_frames(self.plan)])

    def departure(self) -> Departure:
        """What is to be said once the last frame has arrived."""
        return Departure(self._began_s, time.process_time() - self._began_cpu_s)

    def _in_turn(self, frames: Sequence[_Pixels]) -> Iterator[_Pixels]:
        for number in range(self.plan.count):
            if number == self.plan.warm_up:
                self._began_s, self._began_cpu_s = time.monotonic(), time.process_time()
            yield frames[number % len(frames)]


class Meter:
    """Where every receiving end hands its frames over; reads each pixel once.

    Warming up it also checks that what arrives is what was sent.

    Args:
        plan: what is expected.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._expected = {zlib.crc32(frame.data) for frame in make_frames(plan)}
        self._seen = 0
        self._ended_s = self._began_cpu_s = 0.0

    def saw(self, image: GreyImage) -> bool:
        """Take a frame.

        Returns:
            Whether more are expected.

        Raises:
            BenchmarkError: it isn't one of those that were sent.
        """
        image.max()
        if self._seen < self._plan.warm_up:
            self._check(image)
        self._seen += 1
        self._ended_s = time.monotonic()
        if self._seen == self._plan.warm_up:
            self._began_cpu_s = time.process_time()
        return self._seen < self._plan.count

    def arrival(self) -> Arrival:
        """What is to be said at the end.

        Raises:
            BenchmarkError: too few frames came to tell.
        """
        frames = self._seen - self._plan.warm_up
        if frames < 1:
            raise BenchmarkError(f"{self._seen} of {self._plan.count} frames came, then nothing")
        return Arrival(frames, self._ended_s, time.process_time() - self._began_cpu_s)

    def _check(self, image: GreyImage) -> None:
        shape = (self._plan.height_px, self._plan.width_px)
        if image.shape != shape or zlib.crc32(image.data) not in self._expected:
            raise BenchmarkError(f"frame {self._seen} came as {image.dtype} {image.shape}, altered")
