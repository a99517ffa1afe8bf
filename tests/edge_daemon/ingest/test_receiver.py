import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq

from edge_daemon.clock import SystemClock
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.core.wire import parse
from edge_daemon.errors import EndpointError, FrameError, RejectReason
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.receiver import Receiver
from edge_daemon.outcomes import Message
from tests.conftest import PATIENCE_S, free_port, wait_until

LIMIT_BYTES = 2_000_000


@dataclass
class Bench:
    """A receiver at work, its backlog, and how often it said that it lives."""

    receiver: Receiver
    backlog: Backlog
    beats: list[None] = field(default_factory=list)

    def get(self) -> Message:
        message = self.backlog.take(PATIENCE_S)
        assert message is not None
        return message

    def take(self) -> list[bytes]:
        return [bytes(part) for part in self.get().parts]


Start = Callable[..., AbstractContextManager[Bench]]


@pytest.fixture
def start() -> Start:
    @contextmanager
    def run(*endpoints: str, places: int = 100, limit_bytes: int = LIMIT_BYTES) -> Iterator[Bench]:
        clock = SystemClock()
        backlog = Backlog(
            DropPolicy.BLOCK, frames=places, max_bytes=2**30, max_age_s=5.0, clock=clock
        )
        beats: list[None] = []
        receiver = Receiver(
            endpoints or ("tcp://127.0.0.1:*",),
            backlog,
            clock=clock,
            beat=lambda: beats.append(None),
            max_payload_bytes=limit_bytes,
        )
        with receiver:
            yield Bench(receiver, backlog, beats)
        assert receiver.failure is None

    return run


@contextmanager
def camera(address: str, waiting: int = 1000) -> "Iterator[zmq.Socket[bytes]]":
    with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
        socket.setsockopt(zmq.SNDHWM, waiting)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.IMMEDIATE, 1)
        socket.connect(address)
        yield socket


def test_messages_come_through_every_endpoint_as_they_were_sent(
    start: Start, tmp_path: Path
) -> None:
    with start("tcp://127.0.0.1:*", f"ipc://{tmp_path}/frames") as bench:
        for address in bench.receiver.addresses:
            with camera(address) as socket:
                socket.send_multipart([b"top-1", address.encode(), b"\0" * 1000])
                assert bench.take() == [b"top-1", address.encode(), b"\0" * 1000]


def test_a_message_is_stamped_with_the_time_of_its_arrival(start: Start) -> None:
    clock = SystemClock()
    before_ns, before_monotonic_ns = clock.now_ns(), clock.monotonic_ns()
    with start() as bench, camera(bench.receiver.addresses[0]) as socket:
        socket.send_multipart([b"top-1", b"{}", b""])
        message = bench.get()
    assert before_ns <= message.received_ns <= clock.now_ns()
    assert message.arrived_monotonic_ns is not None
    assert before_monotonic_ns <= message.arrived_monotonic_ns <= clock.monotonic_ns()


def test_a_full_queue_is_felt_by_the_camera_and_loses_nothing_that_was_taken(start: Start) -> None:
    frame = bytes(400_000)
    with (
        start(places=2) as bench,
        camera(bench.receiver.addresses[0], waiting=2) as socket,
    ):
        sent = 0
        while socket.poll(500, zmq.POLLOUT) and sent < 200:
            socket.send_multipart([b"top-1", str(sent).encode(), frame], zmq.NOBLOCK)
            sent += 1
        assert bench.backlog.depth == 2
        assert 2 < sent < 100
        assert [int(bench.take()[1]) for _ in range(sent)] == list(range(sent))


@pytest.mark.parametrize("count", [1, 2, 4, 40])
def test_a_wrong_number_of_parts_arrives_as_wrong(start: Start, count: int) -> None:
    with start() as bench, camera(bench.receiver.addresses[0]) as socket:
        socket.send_multipart([b"top-1"] * count)
        message = bench.get()
        with pytest.raises(FrameError) as caught:
            parse(message.parts)
        assert caught.value.reason is RejectReason.PARTS
        assert len(message.parts) <= 8
        socket.send_multipart([b"top-1", b"{}", b"next"])
        assert bench.take() == [b"top-1", b"{}", b"next"]


def test_it_says_that_it_lives_while_nothing_comes(start: Start) -> None:
    with start() as bench:
        beaten = len(bench.beats)
        wait_until(lambda: len(bench.beats) > beaten + 2)


def test_it_says_that_it_lives_while_the_queue_is_full(start: Start) -> None:
    with start(places=1) as bench, camera(bench.receiver.addresses[0]) as socket:
        for _ in range(3):
            socket.send_multipart([b"top-1", b"{}", b""])
        wait_until(lambda: bench.backlog.depth == 1)
        beaten = len(bench.beats)
        wait_until(lambda: len(bench.beats) > beaten + 2)


def test_it_ends_though_the_queue_is_full(start: Start) -> None:
    with start(places=1) as bench, camera(bench.receiver.addresses[0]) as socket:
        for _ in range(3):
            socket.send_multipart([b"top-1", b"{}", b""])
        wait_until(lambda: bench.backlog.depth == 1)
    assert "receiver" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("scheme", ["tcp", "ipc"])
def test_an_endpoint_that_is_taken_is_refused_and_stays_the_others(
    start: Start, tmp_path: Path, scheme: str
) -> None:
    endpoint = {"tcp": f"tcp://127.0.0.1:{free_port()}", "ipc": f"ipc://{tmp_path}/frames"}[scheme]
    with start(endpoint) as first:
        with pytest.raises(EndpointError, match=r"\[ingest\] bind") as caught:
            start(endpoint).__enter__()
        assert endpoint in str(caught.value)
        assert "Address already in use" in str(caught.value)
        with camera(endpoint) as socket:
            socket.send_multipart([b"top-1", b"{}", b"still here"])
            assert first.take()[2] == b"still here"


def test_a_socket_file_that_a_killed_daemon_left_behind_is_no_hindrance(
    start: Start, tmp_path: Path
) -> None:
    endpoint = f"ipc://{tmp_path}/frames"
    with start(endpoint), zmq.Context() as context:
        left = context.socket(zmq.PULL)
        left.bind(f"ipc://{tmp_path}/other")
        (tmp_path / "other").rename(tmp_path / "stale")
        left.close()
    assert (tmp_path / "stale").is_socket()
    with start(f"ipc://{tmp_path}/stale") as bench, camera(f"ipc://{tmp_path}/stale") as socket:
        socket.send_multipart([b"top-1", b"{}", b""])
        assert len(bench.take()) == 3


def test_an_address_of_another_computer_is_refused(start: Start) -> None:
    with pytest.raises(EndpointError, match=r"\[ingest\] bind.*tcp://192\.0\.2\.1:5555"):
        start("tcp://192.0.2.1:5555").__enter__()


def test_when_one_endpoint_cannot_be_had_the_others_are_free_again(start: Start) -> None:
    endpoint = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(EndpointError):
        start(endpoint, "tcp://192.0.2.1:5555").__enter__()
    with start(endpoint) as bench:
        assert bench.receiver.addresses == (endpoint,)


def test_a_part_that_is_too_large_costs_its_sender_the_connection_and_nobody_else(
    start: Start,
) -> None:
    with start(limit_bytes=1000) as bench:
        address = bench.receiver.addresses[0]
        with camera(address) as honest, camera(address) as greedy:
            for number in range(20):
                honest.send_multipart([b"honest", str(number).encode(), bytes(900)])
                greedy.send_multipart([b"greedy", b"{}", bytes(2001)])
            arrived = [bench.take() for _ in range(20)]
            assert [parts[0] for parts in arrived] == [b"honest"] * 20
            assert [int(parts[1]) for parts in arrived] == list(range(20))

            def is_back() -> bool:
                if greedy.poll(0, zmq.POLLOUT):
                    greedy.send_multipart([b"greedy", b"{}", bytes(900)], zmq.NOBLOCK)
                return bench.backlog.depth > 0

            wait_until(is_back)
            assert bench.take()[0] == b"greedy"


def test_a_socket_file_that_somebody_deletes_ends_it_with_the_remedy(tmp_path: Path) -> None:
    clock = SystemClock()
    backlog = Backlog(DropPolicy.BLOCK, frames=1, max_bytes=2**20, max_age_s=5.0, clock=clock)
    with Receiver(
        [f"ipc://{tmp_path}/frames"],
        backlog,
        clock=clock,
        beat=lambda: None,
        max_payload_bytes=LIMIT_BYTES,
    ) as receiver:
        (tmp_path / "frames").unlink()
        wait_until(lambda: receiver.failure is not None)
    assert isinstance(receiver.failure, EndpointError)
    assert "RuntimeDirectory" in str(receiver.failure)
