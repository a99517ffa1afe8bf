"""Takes every frame of a source through the inspector: no thread, no queue, no clock."""

import time
from collections.abc import Callable, Iterable, Sequence

from edge_daemon.errors import SourceError
from edge_daemon.outcomes import Message, Outcome, unreadable
from edge_daemon.pipeline import Inspector
from edge_daemon.recordings.sources import SourceFrame
from edge_daemon.replay.outputs import Output


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
        self._sleep(max(due_ns - now_ns, 0) / 1e9)


def play_through(
    source: Iterable[SourceFrame],
    inspector: Inspector,
    outputs: Sequence[Output],
    *,
    pace: Pace,
    progress: Callable[[], None],
) -> None:
    """Take every frame of a source through the inspector.

    Args:
        source: what to read.
        inspector: fresh, without saved state.
        outputs: who gets what comes of it.
        pace: how fast.
        progress: called after each frame.

    Raises:
        EngineError: the network failed; what was found until then is in the outputs.
    """
    last_ns = 0
    for item in source:
        pace.wait_for(item.received_ns)
        outcome = _inspect(inspector, item)
        last_ns = max(last_ns, outcome.record.t_ns or 0)
        for output in outputs:
            output.add(item.source, outcome)
        progress()
        if outcome.fault is not None:
            raise outcome.fault
    for facts in inspector.close(last_ns):
        for output in outputs:
            output.tell(facts)


def _inspect(inspector: Inspector, item: SourceFrame) -> Outcome:
    if item.parts is None:
        if item.error is None:
            raise SourceError(f"{item.source}: neither a frame nor an error")
        return unreadable(item.error)
    return inspector.inspect(Message(item.parts, item.received_ns))
