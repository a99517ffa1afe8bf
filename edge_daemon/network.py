"""The network as the conveyor knows it: frames in, answers out, and how it is doing.

A frame's answer may be an error; a wrong known answer is one; and whoever watches can see how long
the present call has lasted, for a driver that hangs gives neither.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edge_daemon.clock import Clock
from edge_daemon.errors import EngineError
from edge_daemon.inference.batching import FrameStrips, segment_frames
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.pipeline import Answer
from edge_daemon.preparing import Stage


@dataclass(frozen=True, slots=True)
class KnownAnswerSchedule:
    """The known answer and how often it is asked for."""

    test: KnownAnswerTest
    every_ns: int


class Network:
    """One thread calls it; any may ask how long a call has lasted.

    Args:
        segmenter: runs the network.
        stage: times it.
        clock: monotonic time.
        known_answer: what it must know, and how often it is asked; None: never.
        beat: called between the batches of a large frame.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        stage: Stage,
        clock: Clock,
        known_answer: KnownAnswerSchedule | None,
        beat: Callable[[], None],
    ) -> None:
        self._segmenter = segmenter
        self._stage = stage
        self._clock = clock
        self._known_answer = known_answer
        self._beat = beat
        self._asked_ns = clock.monotonic_ns()
        self._called_ns: int | None = None
        self._has_looked = False

    @property
    def max_batch(self) -> int:
        """Strips that it takes at once."""
        return self._segmenter.max_batch

    @property
    def called_for_s(self) -> float:
        """How long it has been at work on the present batch, 0 while it is not."""
        called_ns = self._called_ns
        return 0.0 if called_ns is None else (self._clock.monotonic_ns() - called_ns) / 1e9

    def look(self, frames: Sequence[FrameStrips]) -> Sequence[Answer]:
        """Look at frames' strips; if it fails, that is every frame's answer."""
        if not frames:
            return []
        self._has_looked = True
        try:
            with self._stage("segment"), self._calling():
                return segment_frames(self._segmenter, frames, beat=self._go_on)
        except EngineError as error:
            return [error] * len(frames)

    @property
    def is_to_be_asked(self) -> bool:
        """Whether it is time for the known answer."""
        schedule = self._known_answer
        due_ns = self._asked_ns + (0 if schedule is None else schedule.every_ns)
        return schedule is not None and self._clock.monotonic_ns() >= due_ns

    @property
    def is_in_doubt(self) -> bool:
        """Whether it has looked at something since it was asked, and could be asked again."""
        return self._has_looked and self._known_answer is not None

    def ask(self) -> EngineError | None:
        """Ask it what it must know; returns what is wrong, None if nothing."""
        self._asked_ns = self._clock.monotonic_ns()
        self._has_looked = False
        if self._known_answer is None:
            return None
        try:
            with self._calling():
                self._known_answer.test.run(self._segmenter)
        except EngineError as error:
            return error
        return None

    @contextmanager
    def _calling(self) -> Iterator[None]:
        self._called_ns = self._clock.monotonic_ns()
        try:
            yield
        finally:
            self._called_ns = None

    def _go_on(self) -> None:
        self._beat()
        self._called_ns = self._clock.monotonic_ns()
