"""Frames through the network's thread: in order, in batches, and what happens when it fails."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import cv2
import numpy as np
import pytest

from edge_daemon.clock import ManualClock, SystemClock
from edge_daemon.conveyor import Asked, Carried, Conveyor, Ended, Seen
from edge_daemon.core.pixels import GreyImage
from edge_daemon.core.wire import Codec
from edge_daemon.errors import EngineError, FrameError, RejectReason
from edge_daemon.inference.known_answer import KnownAnswerTest
from edge_daemon.inference.segmenter import Answers
from edge_daemon.network import KnownAnswerSchedule
from edge_daemon.outcomes import Message
from edge_daemon.preparing import Preparer, Read, Ready, Refused, Unplaced
from tests.conftest import PATIENCE_S, wait_until
from tests.edge_daemon.marked_steel import (
    BREAKS,
    BRIGHT,
    MarkFinder,
    message,
    preparer,
    steel,
    untimed,
)


class Line:
    """A source that gives what it was given, and ends when told."""

    def __init__(self, *messages: Message, ended: bool = True) -> None:
        self.messages = deque(messages)
        self.closed = ended

    @property
    def ended(self) -> bool:
        return self.closed and not self.messages

    def take(self, timeout_s: float) -> Message | None:  # noqa: ARG002 - as the protocol has it
        return self.messages.popleft() if self.messages else None


@contextmanager
def carrying(
    line: Line,
    network: MarkFinder,
    *,
    decoders: int = 2,
    batch_wait_s: float = 0.0,
    known_answer: KnownAnswerSchedule | None = None,
    clock: ManualClock | None = None,
) -> Iterator[Conveyor]:
    conveyor = Conveyor(
        line,
        preparer(),
        network,
        stage=untimed,
        clock=clock or SystemClock(),
        decoders=decoders,
        batch_wait_s=batch_wait_s,
        known_answer=known_answer,
    )
    with conveyor:
        yield conveyor


def take_all(conveyor: Conveyor) -> list[Carried]:
    """Everything up to the end."""
    taken: list[Carried] = []
    while not taken or not isinstance(taken[-1], Ended):
        carried = conveyor.take(PATIENCE_S)
        assert carried is not None
        taken.append(carried)
    return taken


def seen(carried: Sequence[Carried]) -> list[Seen]:
    return [one for one in carried if isinstance(one, Seen)]


def numbers(carried: Sequence[Carried]) -> list[int]:
    return [
        one.prepared.frame.header.seq
        for one in seen(carried)
        if not isinstance(one.prepared, Unplaced)
    ]


def marked(mark: int) -> GreyImage:
    image = steel()
    image[:8, :8] = mark
    return image


def compressed(seq: int, size: int) -> Message:
    """A JPEG that takes the longer to decode the larger it is."""
    image = np.random.default_rng(seq).integers(100, 120, (size, size), np.uint8)
    payload = cv2.imencode(".jpg", image)[1].tobytes()
    return message(image, seq=seq, codec=Codec.JPEG, payload=payload)


def test_frames_come_out_in_the_order_in_which_they_came_however_long_they_take() -> None:
    mixed = [
        compressed(seq, 2000) if seq % 3 == 0 else message(steel(), seq=seq) for seq in range(12)
    ]
    with carrying(Line(*mixed), MarkFinder(max_batch=4)) as conveyor:
        assert numbers(take_all(conveyor)) == list(range(12))


def test_frames_of_several_cameras_share_a_batch() -> None:
    network = MarkFinder(max_batch=4)
    frames = [message(steel(), camera=f"cam-{n}") for n in range(8)]
    with carrying(Line(*frames), network) as conveyor:
        assert len(seen(take_all(conveyor))) == 8
    assert max(network.batches) == 4
    assert sum(network.batches) == 8


def test_only_frames_with_something_above_a_threshold_bring_probabilities() -> None:
    line = Line(message(marked(BRIGHT)), message(steel(), seq=1))
    with carrying(line, MarkFinder()) as conveyor:
        found, clean = seen(take_all(conveyor))
    assert isinstance(found.answer, np.ndarray)
    assert clean.answer is None
    assert isinstance(clean.prepared, Ready)


def test_what_cannot_be_looked_at_keeps_its_place_and_costs_the_network_nothing() -> None:
    network = MarkFinder(max_batch=2)
    stale = Message(
        message(steel(), seq=1).parts, 0, left_out=FrameError(RejectReason.STALE, "by a test")
    )
    line = Line(message(steel()), stale, Message([b"x"], 0), message(steel(), seq=2))
    with carrying(line, network) as conveyor:
        kinds = [type(one.prepared) for one in seen(take_all(conveyor))]
    assert kinds == [Ready, Refused, Unplaced, Ready]
    assert sum(network.batches) == 2


def test_a_fault_of_the_network_is_the_answer_for_its_batch_and_the_last() -> None:
    network = MarkFinder(max_batch=1)
    line = Line(message(steel()), message(marked(BREAKS), seq=1), message(steel(), seq=2))
    with carrying(line, network) as conveyor:
        *frames, end = take_all(conveyor)
    assert end == Ended()
    assert numbers(frames) == [0, 1]
    assert isinstance(seen(frames)[1].answer, EngineError)
    assert network.batches == [1, 1]


def test_a_batch_that_is_not_full_waits_for_its_time_and_no_longer() -> None:
    network, clock = MarkFinder(max_batch=4), ManualClock(0, 0)
    line = Line(message(steel()), ended=False)
    with carrying(line, network, batch_wait_s=1.0, clock=clock) as conveyor:
        wait_until(lambda: not line.messages)
        line.messages.append(message(steel(), camera="other"))
        wait_until(lambda: not line.messages)
        assert network.batches == []
        clock.advance(1_000_000_001)
        wait_until(lambda: network.batches == [2])
        line.closed = True
        take_all(conveyor)


def known_answer(factor: float) -> KnownAnswerSchedule:
    strip = np.full((256, 1600), BRIGHT, np.uint8)
    expected = MarkFinder().segment([strip]).fetch(slice(1)) * np.float32(factor)
    return KnownAnswerSchedule(
        KnownAnswerTest(strip[None, None], expected, tolerance=0.1), every_ns=1000
    )


def test_the_known_answer_is_asked_for_when_it_is_time_and_told_in_its_place() -> None:
    clock, line = ManualClock(0, 0), Line(message(steel()), ended=False)
    with carrying(line, MarkFinder(), known_answer=known_answer(1.0), clock=clock) as conveyor:
        assert isinstance(conveyor.take(PATIENCE_S), Seen)
        assert conveyor.take(0.3) is None  # control: not before its time
        clock.advance(1000)
        assert conveyor.take(PATIENCE_S) == Asked(None)
        line.closed = True
        assert take_all(conveyor) == [Ended()]


def test_a_wrong_known_answer_is_told_and_nothing_is_looked_at_after_it() -> None:
    clock, line = ManualClock(0, 0), Line(ended=False)
    with carrying(line, MarkFinder(), known_answer=known_answer(0.5), clock=clock) as conveyor:
        clock.advance(1000)
        asked, end = take_all(conveyor)
    assert isinstance(asked, Asked)
    assert isinstance(asked.fault, EngineError)
    assert end == Ended()


def test_behind_a_decoder_that_hangs_the_known_answer_is_asked_and_nobody_beats(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unpack, go, begun = Preparer.unpack, threading.Event(), threading.Event()

    def hang(self: Preparer, read: Read) -> Refused | Ready:
        if read.frame.header.codec is Codec.JPEG:
            begun.set()
            go.wait(PATIENCE_S)
        return unpack(self, read)

    monkeypatch.setattr(Preparer, "unpack", hang)
    clock, reasons = ManualClock(0, 0), deque[str](maxlen=1)
    frames = message(steel()), compressed(1, 64), message(steel(), seq=2)
    line = Line(*frames, ended=False)
    conveyor = Conveyor(
        line,
        preparer(),
        MarkFinder(max_batch=8),
        stage=untimed,
        clock=clock,
        known_answer=known_answer(1.0),
        beat=reasons.clear,
        stand_still=reasons.append,
    )
    with conveyor:
        assert numbers([conveyor.take(PATIENCE_S) or Ended()]) == [0]
        assert begun.wait(PATIENCE_S)
        clock.advance(1000)
        assert conveyor.take(PATIENCE_S) == Asked(None)
        assert not reasons  # control
        clock.advance(31 * 10**9)
        wait_until(lambda: list(reasons) == ["a decoder has had a frame for 30 s"])
        go.set()
        wait_until(lambda: not reasons)
        line.closed = True
        assert numbers(take_all(conveyor)) == [1, 2]
    assert not conveyor.is_stuck


class Careless(MarkFinder):
    """A network with a bug of its own."""

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        raise ZeroDivisionError(len(strips))


def test_a_bug_ends_it_and_is_handed_on() -> None:
    with carrying(Line(message(steel())), Careless()) as conveyor:
        (end,) = take_all(conveyor)
    assert isinstance(end, Ended)
    assert isinstance(end.failure, ZeroDivisionError)


def test_what_is_under_way_is_bounded_when_nobody_takes_it() -> None:
    network, line = MarkFinder(max_batch=1), Line(*(message(steel(), seq=n) for n in range(50)))
    with carrying(line, network, decoders=1) as conveyor:
        wait_until(lambda: len(network.batches) >= 4)
        held = threading.Event()
        assert not held.wait(0.5)
        assert len(line.messages) >= 50 - 9
        assert numbers(take_all(conveyor)) == list(range(50))


def test_an_exception_outside_ends_its_threads_though_nobody_takes() -> None:
    line = Line(*(message(steel(), seq=n) for n in range(50)))
    with pytest.raises(KeyError), carrying(line, MarkFinder(max_batch=1)):
        raise KeyError
    names = {thread.name for thread in threading.enumerate()}
    assert "network" not in names


class Slow(MarkFinder):
    """A network that waits to be let on."""

    def __init__(self) -> None:
        super().__init__(max_batch=1)
        self.go = threading.Event()

    def segment(self, strips: Sequence[GreyImage]) -> Answers:
        self.go.wait(PATIENCE_S)
        return super().segment(strips)


def test_whoever_takes_hears_of_the_end_though_the_network_is_stuck() -> None:
    network = Slow()
    threading.Timer(0.5, network.go.set).start()
    with pytest.raises(KeyError), carrying(Line(message(steel())), network) as conveyor:
        raise KeyError
    assert isinstance(take_all(conveyor)[-1], Ended)
