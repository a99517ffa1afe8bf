"""One passage of frames between two processes of their own."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypeVar

from benchmarks.errors import BenchmarkError
from benchmarks.transport.frames import Arrival, Departure, Dispatch, Meter, Passage, Plan
from benchmarks.transport.way import Way

OPEN_WITHIN_S: Final = 60.0
PASS_WITHIN_S: Final = 300.0
END_WITHIN_S: Final = 10.0
_POLL_S: Final = 0.2
_Said = TypeVar("_Said")


class _Open:
    """The receiving end is ready for a sender."""


def run_passage(way: Way, plan: Plan) -> Passage:
    """Send frames from a fresh process to a fresh process.

    Raises:
        BenchmarkError: an end failed, fell silent, or altered a frame.
    """
    context = multiprocessing.get_context("spawn")
    from_receiver, to_parent = context.Pipe(duplex=False)
    from_sender, to_parent_too = context.Pipe(duplex=False)
    done = context.Event()
    with TemporaryDirectory(prefix="frames-") as folder:
        address = f"ipc://{Path(folder) / 'wire'}"
        receiver = context.Process(
            target=_receive, name=f"receiver of {way.name}", args=(way, address, plan, to_parent)
        )
        sender = context.Process(
            target=_send,
            name=f"sender of {way.name}",
            args=(way, address, plan, to_parent_too, done),
        )
        with _started(receiver):
            _expect(from_receiver, receiver, _Open, within_s=OPEN_WITHIN_S)
            with _started(sender):
                try:
                    arrival = _expect(from_receiver, receiver, Arrival, within_s=PASS_WITHIN_S)
                finally:
                    done.set()
                departure = _expect(from_sender, sender, Departure, within_s=END_WITHIN_S)
    return Passage(
        arrived=arrival.frames,
        lost=plan.frames - arrival.frames,
        seconds=arrival.ended_s - departure.began_s,
        sender_cpu_s=departure.cpu_s,
        receiver_cpu_s=arrival.cpu_s,
    )


def _receive(way: Way, address: str, plan: Plan, to_parent: Connection) -> None:
    meter = Meter(plan)
    try:
        way.receive(address, meter, opened=lambda: to_parent.send(_Open()))
        to_parent.send(meter.arrival())
    except BenchmarkError as error:
        to_parent.send(f"{way.name}: {error}")


def _send(way: Way, address: str, plan: Plan, to_parent: Connection, done: Event) -> None:
    dispatch = Dispatch(plan)

    def held() -> None:
        done.wait(PASS_WITHIN_S)
        to_parent.send(dispatch.departure())

    way.send(address, dispatch, held=held)


@contextmanager
def _started(process: SpawnProcess) -> Iterator[None]:
    """Run a process; one that doesn't end by itself afterwards is ended."""
    process.start()
    try:
        yield
    finally:
        process.join(END_WITHIN_S)
        if process.is_alive():
            process.kill()
            process.join()


def _expect(
    inbox: Connection, process: SpawnProcess, kind: type[_Said], *, within_s: float
) -> _Said:
    """What an end says next.

    Raises:
        BenchmarkError: it has ended, says nothing in time, or tells of trouble.
    """
    deadline_s = time.monotonic() + within_s
    while not inbox.poll(_POLL_S):
        if not process.is_alive() and not inbox.poll():
            raise BenchmarkError(f"{process.name} left with exit code {process.exitcode}")
        if time.monotonic() > deadline_s:
            raise BenchmarkError(f"{process.name} said nothing within {within_s:g} s")
    said = inbox.recv()
    if not isinstance(said, kind):
        raise BenchmarkError(str(said))
    return said
