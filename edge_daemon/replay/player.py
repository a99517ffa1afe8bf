"""Takes every frame of a source through the inspector.

Reading runs on a thread of its own, the network on another; frames are settled here, in order, so
that the same input gives the same output whatever overtakes what.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Final, Self

from edge_daemon.conveyor import Conveyor, Ended, Seen
from edge_daemon.errors import SourceError
from edge_daemon.outcomes import Message
from edge_daemon.pipeline import Inspector
from edge_daemon.recordings.sources import SourceFrame
from edge_daemon.replay.outputs import Output

_READ_AHEAD: Final = 4
_PUT_S: Final = 0.2
_JOIN_S: Final = 5.0


class Pace:
    """Keeps a replay at the speed of its recording.

    Args:
        factor: 2.0 is twice as fast; None is as fast as can be.
        sleep: waits so many seconds.
    """

    def __init__(self, factor: float | None, sleep: Callable[[float], None] = time.sleep) -> None:
        self._factor = factor
        self._sleep = sleep
        self._began_ns: tuple[int, int] | None = None

    def wait_for(self, received_ns: int) -> None:
        """Wait until a message that was received then is due."""
        if self._factor is None:
            return
        now_ns = time.monotonic_ns()
        if self._began_ns is None:
            self._began_ns = (received_ns, now_ns)
        due_ns = self._began_ns[1] + (received_ns - self._began_ns[0]) / self._factor
        # A damaged time may be centuries away, which is more than the system can be asked for.
        self._sleep(min(max(due_ns - now_ns, 0) / 1e9, threading.TIMEOUT_MAX))


class Reader:
    """Reads a source ahead of who takes its messages.

    Args:
        source: what to read.
        pace: how fast.
    """

    def __init__(self, source: Iterable[SourceFrame], pace: Pace) -> None:
        self._source = source
        self._pace = pace
        self._read: queue.Queue[Message] = queue.Queue(_READ_AHEAD)
        self._thread = threading.Thread(target=self._work, name="reader", daemon=True)
        self._stopping = False
        self.failure: Exception | None = None

    def __enter__(self) -> Self:
        """Begin to read."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Read no more."""
        self._stopping = True
        self._thread.join(_JOIN_S)

    @property
    def ended(self) -> bool:
        """Whether all has been read and taken."""
        return not self._thread.is_alive() and self._read.empty()

    def take(self, timeout_s: float) -> Message | None:
        """The next message, None if none was read within the time."""
        try:
            return self._read.get(timeout=timeout_s) if timeout_s else self._read.get_nowait()
        except queue.Empty:
            return None

    def _work(self) -> None:
        try:
            for item in self._source:
                self._pace.wait_for(item.received_ns)
                if not self._put(_message(item)):
                    return
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: the player raises it
            self.failure = failure

    def _put(self, message: Message) -> bool:
        while not self._stopping:
            try:
                self._read.put(message, timeout=_PUT_S)
            except queue.Full:
                continue
            return True
        return False


def play_through(
    reader: Reader,
    conveyor: Conveyor,
    inspector: Inspector,
    *,
    outputs: Sequence[Output],
    progress: Callable[[], None],
) -> None:
    """Take every frame of a source through the inspector.

    Args:
        reader: of what is replayed; entered.
        conveyor: takes from the reader; entered.
        inspector: fresh, without saved state.
        outputs: who gets what comes of it.
        progress: called after each frame.

    Raises:
        EngineError: the network failed; what was found until then is in the outputs.
    """
    last_ns = 0
    while not isinstance(carried := conveyor.take(), Ended):
        if not isinstance(carried, Seen):
            continue
        outcome = inspector.settle(carried.prepared, carried.answer)
        last_ns = max(last_ns, outcome.record.t_ns or 0)
        for output in outputs:
            output.add(carried.prepared.message.source, outcome)
        progress()
        if outcome.fault is not None:
            raise outcome.fault
    if failure := carried.failure or reader.failure:
        raise failure
    for facts in inspector.close(last_ns):
        for output in outputs:
            output.tell(facts)


def _message(item: SourceFrame) -> Message:
    if item.parts is None and item.error is None:
        raise SourceError(f"{item.source}: neither a frame nor an error")
    return Message(item.parts or (), item.received_ns, left_out=item.error, source=item.source)
