"""Carries frames to the network and on, several at a time: decoding runs ahead, settling behind.

    take -> read -> unpack (decoder threads) -> batch -> segment -> put

One thread owns the network, as GPU runtimes want it. While it waits for the network, frames that
come next are decoded by a few helpers, and frames that went before are settled by whoever takes
them from the other end. All that is under way is bounded, and what goes in first comes out first.
"""

import queue
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self, TypeAlias

from edge_daemon.clock import Clock
from edge_daemon.decoders import Decoders
from edge_daemon.errors import EngineError, RejectReason
from edge_daemon.inference.segmenter import Segmenter
from edge_daemon.ingest.backlog import left_out
from edge_daemon.network import KnownAnswerSchedule, Network
from edge_daemon.outcomes import Message
from edge_daemon.pipeline import Answer
from edge_daemon.preparing import Prepared, Preparer, Read, Ready, Stage

_WAIT_S: Final = 0.2
_PUT_S: Final = 0.2
_DRAIN_S: Final = 4.0
_JOIN_S: Final = 1.5


class Source(Protocol):
    """Where messages come from."""

    @property
    def ended(self) -> bool:
        """Whether nothing waits and nothing will come."""
        ...

    def take(self, timeout_s: float) -> Message | None:
        """The next message, None if none came within the time."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame that has been through the network, or that can't be looked at."""

    prepared: Prepared
    answer: Answer


@dataclass(frozen=True, slots=True)
class Asked:
    """The known answer was asked for: what was looked at before it may be believed, or not."""

    fault: EngineError | None


@dataclass(frozen=True, slots=True)
class Ended:
    """Nothing more will come.

    Attributes:
        failure: why, where that was not the plan.
    """

    failure: Exception | None = None


Carried: TypeAlias = Seen | Asked | Ended


class Conveyor:
    """Owns the network's thread and the decoders.

    What comes out: for each message one `Seen`, in the order of the messages; an `Asked` now and
    then; one `Ended`, after which there is nothing. After a fault of the network no more is taken.

    Args:
        source: gives messages.
        preparer: reads, decodes and cuts them.
        segmenter: the network.
        stage: times the network.
        clock: for waits and for the known answer.
        decoders: threads that unpack compressed pictures.
        batch_wait_s: how long a batch that isn't full may wait for more frames.
        known_answer: what the network must know, and how often it is asked; None: never.
        beat: the sign of life of the network's thread.
        stand_still: called in its place, with the reason, while a decoder hangs.
    """

    def __init__(
        self,
        source: Source,
        preparer: Preparer,
        segmenter: Segmenter,
        *,
        stage: Stage,
        clock: Clock,
        decoders: int = 1,
        batch_wait_s: float = 0.0,
        known_answer: KnownAnswerSchedule | None = None,
        beat: Callable[[], None] = lambda: None,
        stand_still: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self._source = source
        self._preparer = preparer
        self._network = Network(
            segmenter, stage=stage, clock=clock, known_answer=known_answer, beat=self._show_life
        )
        self._clock = clock
        self._batch_wait_ns = int(batch_wait_s * 1e9)
        self._beat = beat
        self._stand_still = stand_still
        self._pending: deque[Future[Prepared] | Prepared] = deque()
        self._out: queue.Queue[Carried] = queue.Queue(2 * (segmenter.max_batch + decoders))
        self._decoders = Decoders(preparer.unpack, clock, decoders)
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)
        self._under_way: Counter[str] = Counter()
        self._counting = threading.Lock()  # two threads count: the network's and who takes
        self._abandoned = self._hurry = False
        self.is_stuck = False

    def __enter__(self) -> Self:
        """Start carrying."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wait until all that was under way has been put out, and for the threads.

        What takes too long is left out, so that its rows are booked before the process is killed.
        """
        if kind is not None:
            self.abandon()
        if not self._abandoned:
            self._thread.join(_DRAIN_S)
        self._hurry = True
        self._thread.join(_JOIN_S)
        self.abandon()
        self._thread.join(_JOIN_S)
        self.is_stuck |= not self._decoders.close(_JOIN_S) or self._thread.is_alive()
        with suppress(queue.Full):  # or whoever takes would wait for a thread that is stuck
            self._out.put(Ended(), timeout=_PUT_S)

    def abandon(self) -> None:
        """Carry no more: nobody will take what comes out."""
        self._abandoned = True

    @property
    def called_for_s(self) -> float:
        """How long the network has been at work on the present batch, s; 0 while it is not."""
        return self._network.called_for_s

    def give_up(self, fault: EngineError) -> None:
        """Wait no longer for a network that hangs: nothing it said since it was asked counts."""
        self.is_stuck = True
        self.abandon()
        for last in (Asked(fault), Ended(fault)):
            with suppress(queue.Full):
                self._out.put(last, timeout=_PUT_S)

    @property
    def cameras(self) -> frozenset[str]:
        """Cameras of whom something is under way."""
        with self._counting:
            return frozenset(self._under_way)

    def take(self, timeout_s: float | None = None) -> Carried | None:
        """What comes out next, None if nothing came within the time."""
        try:
            carried = self._out.get(timeout=timeout_s)
        except queue.Empty:
            return None
        if isinstance(carried, Seen):
            self._count(carried.prepared.message, -1)
        return carried

    def _run(self) -> None:
        try:
            while not self._abandoned and (self._pending or not self._source.ended):
                self._show_life()
                if self._turn() or (self._network.is_to_be_asked and self._ask()):
                    break
            else:
                if self._network.is_in_doubt and not self._abandoned:
                    self._ask()
            self._put(Ended())
        except Exception as failure:  # noqa: BLE001 - a thread's outermost frame: the taker reports it
            self._put(Ended(failure))

    def _turn(self) -> bool:
        """One batch, or a short wait for the first frame of one; True when the network failed."""
        self._fill(wait_s=0.0 if self._pending else _WAIT_S)
        batch = self._gather()
        answers = iter(
            self._network.look([each.strips for each in batch if isinstance(each, Ready)])
        )
        self._fill(wait_s=0.0)  # now: to hand on may take its time, and decoders would stand still
        failed = False
        for prepared in batch:
            answer = next(answers) if isinstance(prepared, Ready) else None
            failed |= isinstance(answer, EngineError)
            self._put(Seen(prepared, answer))
        return failed

    def _fill(self, *, wait_s: float) -> None:
        """Take what has come, up to as much as may be under way; wait only for the first."""
        while len(self._pending) < self._network.max_batch + self._decoders.count:
            message = self._source.take(wait_s)
            if message is None:
                return
            wait_s = 0.0
            self._count(message, +1)
            if self._hurry and message.left_out is None:
                message = left_out(message, RejectReason.DROPPED, "the daemon was stopping")
            read = self._preparer.read(message)
            if not isinstance(read, Read):
                self._pending.append(read)
            elif read.is_quick:
                self._pending.append(self._preparer.unpack(read))
            else:
                self._pending.append(self._decoders.submit(read))

    def _gather(self) -> list[Prepared]:
        """The next frames, of several cameras perhaps, as many as fit into a batch.

        Fewer, or none, while a decoder takes its time: what the network said before is asked for
        and goes on meanwhile.
        """
        batch: list[Prepared] = []
        strips, due_ns = 0, None
        while strips < self._network.max_batch:
            if not self._pending:
                left_s = 0.0 if due_ns is None else (due_ns - self._clock.monotonic_ns()) / 1e9
                if left_s <= 0.0 or self._source.ended:
                    break
                self._fill(wait_s=left_s)
                continue
            prepared = self._await(self._pending[0])
            if prepared is None:
                break
            more = len(prepared.strips) if isinstance(prepared, Ready) else 0
            if strips and strips + more > self._network.max_batch:
                break
            self._pending.popleft()
            batch.append(prepared)
            strips += more
            if due_ns is None:
                due_ns = self._clock.monotonic_ns() + self._batch_wait_ns
        return batch

    def _await(self, head: Future[Prepared] | Prepared) -> Prepared | None:
        """The first frame under way, None if its decoder isn't done within a short time."""
        if not isinstance(head, Future):
            return head
        return self._decoders.wait_for(head, _WAIT_S)

    def _show_life(self) -> None:
        if (reason := self._decoders.complaint) is None:
            self._beat()
        else:
            self._stand_still(reason)

    def _ask(self) -> bool:
        """Ask the live network what it must know; True when it doesn't."""
        fault = self._network.ask()
        self._put(Asked(fault))
        return fault is not None

    def _count(self, message: Message, change: int) -> None:
        sender = message.sender
        with self._counting:
            self._under_way[sender] += change
            if not self._under_way[sender]:
                del self._under_way[sender]

    def _put(self, carried: Carried) -> None:
        while not self._abandoned:
            try:
                self._out.put(carried, timeout=_PUT_S)
            except queue.Full:
                self._show_life()  # whoever settles is held up; that is no stall of this thread
            else:
                return
