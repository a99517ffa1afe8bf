"""Threads that unpack: how one that hangs is found out, on a clock of its own."""

import threading
from collections.abc import Iterator

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.decoders import Decoders
from edge_daemon.preparing import Prepared, Read
from tests.conftest import PATIENCE_S, wait_until
from tests.edge_daemon.marked_steel import message, preparer, steel

SECOND_NS = 10**9


class Gate:
    """Unpacks once it is let to."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)

    def unpack(self, read: Read) -> Prepared:
        self.begun.release()
        self.go.wait(PATIENCE_S)
        return preparer().unpack(read)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.go.set()


def read(seq: int = 0) -> Read:
    found = preparer().read(message(steel(), seq=seq))
    assert isinstance(found, Read)
    return found


def test_a_frame_that_takes_longer_than_the_largest_may_is_complained_of_until_it_is_done(
    gate: Gate,
) -> None:
    clock = ManualClock()
    decoders = Decoders(gate.unpack, clock, 2)
    unpacking = decoders.submit(read())
    assert gate.begun.acquire(timeout=PATIENCE_S)
    assert decoders.wait_for(unpacking, 0.01) is None
    clock.advance(30 * SECOND_NS)
    assert decoders.wait_for(unpacking, 0.01) is None
    assert decoders.complaint is None
    clock.advance(1)
    wait_until(lambda: decoders.complaint == "a decoder has had a frame for 30 s")
    gate.go.set()
    wait_until(lambda: decoders.complaint is None)
    assert decoders.wait_for(unpacking, PATIENCE_S) is not None
    assert decoders.close(PATIENCE_S)


def test_the_time_of_a_frame_begins_when_those_before_it_are_done(gate: Gate) -> None:
    clock = ManualClock()
    decoders = Decoders(gate.unpack, clock, 1)
    first, second = (decoders.submit(read(seq)) for seq in range(2))
    assert gate.begun.acquire(timeout=PATIENCE_S)
    assert decoders.wait_for(first, 0.01) is None
    clock.advance(29 * SECOND_NS)
    gate.go.set()
    assert decoders.wait_for(first, PATIENCE_S) is not None
    gate.go.clear()
    assert gate.begun.acquire(timeout=PATIENCE_S)
    decoders.wait_for(second, 0.01)
    clock.advance(29 * SECOND_NS)
    assert decoders.complaint is None
    gate.go.set()
    assert decoders.close(PATIENCE_S)


def test_what_was_begun_is_waited_for_and_what_was_not_is_left(gate: Gate) -> None:
    decoders = Decoders(gate.unpack, ManualClock(), 1)
    begun, waiting = (decoders.submit(read(seq)) for seq in range(2))
    assert gate.begun.acquire(timeout=PATIENCE_S)
    assert not decoders.close(0.1)
    assert waiting.cancelled()
    gate.go.set()
    assert decoders.close(PATIENCE_S)
    assert begun.done()
