"""A few threads that unpack compressed pictures; who waits for them finds out when one hangs."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

from edge_daemon.clock import Clock
from edge_daemon.preparing import Prepared, Read

_HANGS_AFTER_S: Final = 30.0
"""The largest picture that may be sent is unpacked in seconds."""


class Decoders:
    """Threads that unpack frames, in the order in which they are given; one thread asks for them.

    Args:
        unpack: what they do; called from several threads.
        clock: monotonic time.
        count: of threads.
    """

    def __init__(self, unpack: Callable[[Read], Prepared], clock: Clock, count: int) -> None:
        self.count = count
        self._unpack = unpack
        self._clock = clock
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="decoder")
        self._under_way: set[Future[Prepared]] = set()
        self._awaited: Future[Prepared] | None = None
        self._since_ns = 0

    def submit(self, read: Read) -> Future[Prepared]:
        """Have a frame unpacked."""
        unpacking = self._pool.submit(self._unpack, read)
        self._under_way.add(unpacking)
        unpacking.add_done_callback(self._under_way.discard)
        return unpacking

    def wait_for(self, oldest: Future[Prepared], timeout_s: float) -> Prepared | None:
        """What became of the oldest frame that is under way; None if it isn't done in time."""
        if self._awaited is not oldest:
            self._awaited, self._since_ns = oldest, self._clock.monotonic_ns()
        if not wait([oldest], timeout_s).done:
            return None
        self._awaited = None
        return oldest.result()

    @property
    def complaint(self) -> str | None:
        """What is wrong, None while no frame is waited for longer than for the largest.

        Not whether one was begun counts: a thread that hangs may also be the one that was woken.
        """
        if self._awaited is None or self._awaited.done():
            return None
        if self._clock.monotonic_ns() - self._since_ns <= _HANGS_AFTER_S * 1e9:
            return None
        return f"a decoder has had a frame for {_HANGS_AFTER_S:g} s"

    def close(self, timeout_s: float) -> bool:
        """Begin nothing more and wait for what was begun; False where a thread doesn't come back.

        Python would wait for that thread at the end of the process, and for ever.
        """
        self._pool.shutdown(wait=False, cancel_futures=True)
        return not wait(tuple(self._under_way), timeout_s).not_done
