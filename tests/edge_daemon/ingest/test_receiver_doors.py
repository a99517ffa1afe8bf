"""Intruders, impostors and cameras without measure, by real sockets; the others go on."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from edge_daemon.clock import SystemClock
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.core.wire import parse_placed
from edge_daemon.errors import RejectReason
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.endpoint import PushSocket, connect_push
from edge_daemon.ingest.keys import Keyring, make_pair
from edge_daemon.ingest.memory_limit import MemoryLimit, MemoryLimitError
from edge_daemon.ingest.receiver import Receiver
from edge_daemon.ingest.turned_away import TurnedAway
from edge_daemon.outcomes import Message
from tests.conftest import PATIENCE_S, wait_until
from tests.edge_daemon.ingest.doors import Plant, RawPeer

ANYWHERE = "tcp://127.0.0.1:*"
PATIENCE_MS = int(PATIENCE_S * 1000)
MAX_PAYLOAD = 10_000


@dataclass
class Ingest:
    """A receiver with its doorkeeper, its backlog, and what they counted."""

    receiver: Receiver
    keeper: Doorkeeper
    backlog: Backlog
    turned_away: Counter[TurnedAway] = field(default_factory=Counter)
    hung_up: list[None] = field(default_factory=list)

    def take(self) -> Message:
        message = self.backlog.take(PATIENCE_S)
        assert message is not None, self.receiver.failure
        return message

    def reasons(self, count: int) -> list[tuple[str, RejectReason | None]]:
        """Sender and reason of the next messages, sorted."""
        taken = [self.take() for _ in range(count)]
        return sorted((m.sender, reason(m)) for m in taken)


def reason(message: Message) -> RejectReason | None:
    return None if message.left_out is None else message.left_out.reason


@contextmanager
def ingest(
    keyring: Keyring | None,
    *endpoints: str,
    max_frames_per_s: float = 1e6,
    memory: MemoryLimit | None = None,
) -> Iterator[Ingest]:
    clock = SystemClock()
    backlog = Backlog(DropPolicy.BLOCK, frames=1000, max_bytes=2**30, max_age_s=5.0, clock=clock)
    turned_away: Counter[TurnedAway] = Counter()
    hung_up: list[None] = []
    keeper = Doorkeeper(
        keyring,
        turned_away=lambda reason: turned_away.update([reason]),
        hung_up=lambda: hung_up.append(None),
    )
    receiver = Receiver(
        endpoints or (ANYWHERE,),
        backlog,
        clock=clock,
        beat=lambda: None,
        max_payload_bytes=MAX_PAYLOAD,
        max_frames_per_s=max_frames_per_s,
        door=keeper,
        memory=memory,
    )
    with keeper, receiver:
        yield Ingest(receiver, keeper, backlog, turned_away, hung_up)


def frame(camera: str, seq: int = 0, payload: bytes = bytes(64)) -> list[bytes]:
    header = {"v": 1, "stream": "s", "seq": seq, "t_ns": 1, "width": 8, "height": 8}
    packed = json.dumps(header | {"format": "Mono8", "codec": "raw"}).encode()
    return [camera.encode(), packed, payload]


def send(push: PushSocket, parts: list[bytes]) -> None:
    assert push.poll(PATIENCE_MS, zmq.POLLOUT), "not let in"
    push.send_multipart(parts)


def test_the_right_key_under_the_wrong_id_is_refused_and_the_owner_of_the_id_goes_on() -> None:
    plant = Plant()
    with ingest(plant.keyring) as at:
        address = at.receiver.addresses[0]
        with (
            connect_push(address, linger_ms=0, login=plant.login(plant.top)) as top,
            connect_push(address, linger_ms=0, login=plant.login(plant.side)) as side,
        ):
            for seq in range(10):
                send(top, frame("top", seq))
                send(side, frame("top", seq + 1000))  # speaks for its neighbour
            send(side, frame("side"))
            messages = [at.take() for _ in range(21)]
    honest = [m for m in messages if m.sender == "top"]
    assert [parse_placed(m.parts).header.seq for m in honest] == list(range(10))
    assert all(m.left_out is None for m in honest)
    foreign = [reason(m) for m in messages if m.sender == "side"]
    assert foreign == [RejectReason.IMPOSTOR] * 10 + [None]


def test_strangers_do_not_get_in_while_cameras_go_on() -> None:
    plant = Plant()
    with ingest(plant.keyring) as at:
        address = at.receiver.addresses[0]
        with (
            connect_push(address, linger_ms=0, login=plant.login(make_pair())) as stranger,
            connect_push(address, linger_ms=0) as plain,
            connect_push(address, linger_ms=0, login=plant.login(plant.top)) as top,
        ):
            # One without a key may be the first to hang up.
            without_key = {TurnedAway.NO_KEY, TurnedAway.OTHER}
            wait_until(lambda: TurnedAway.UNKNOWN_KEY in at.turned_away)
            wait_until(lambda: not without_key.isdisjoint(at.turned_away))
            for seq in range(5):
                for intruder in (stranger, plain):
                    with suppress(zmq.Again):
                        intruder.send_multipart(frame("top", seq + 1000), zmq.NOBLOCK)
                send(top, frame("top", seq))
            assert [parse_placed(at.take().parts).header.seq for _ in range(5)] == list(range(5))
        assert at.backlog.depth == 0


def test_by_ipc_cameras_with_a_key_cannot_be_spoken_for_and_others_are_heard(
    tmp_path: Path,
) -> None:
    with ingest(Plant().keyring, f"ipc://{tmp_path}/frames") as at:
        address = at.receiver.addresses[0]
        with connect_push(address, linger_ms=0) as local:
            send(local, frame("top"))
            send(local, frame("bench"))
            assert at.reasons(2) == [("", RejectReason.IMPOSTOR), ("bench", None)]
        with RawPeer(address) as forger:
            forger.ready(User_Id=b"top")
            forger.send(*frame("top"))
            assert at.reasons(1) == [("", RejectReason.IMPOSTOR)]


def test_a_camera_that_floods_is_held_to_its_rate_and_the_others_are_not_touched() -> None:
    plant = Plant()
    with ingest(plant.keyring, max_frames_per_s=5) as at:
        address = at.receiver.addresses[0]
        with (
            connect_push(address, linger_ms=0, login=plant.login(plant.top)) as top,
            connect_push(address, linger_ms=0, login=plant.login(plant.side)) as flood,
        ):
            for seq in range(300):
                send(flood, frame("side", seq))
            for seq in range(5):
                send(top, frame("top", seq))
            messages = [at.take() for _ in range(305)]
    assert all(m.left_out is None for m in messages if m.sender == "top")
    flooded = [m for m in messages if m.sender == "side"]
    reasons = Counter(reason(m) for m in flooded)
    assert set(reasons) == {None, RejectReason.RATE}
    assert reasons[RejectReason.RATE] > 100
    # Every one still says which rows it had, in order.
    assert [parse_placed(m.parts).header.seq for m in flooded] == list(range(300))


def test_a_payload_over_the_limit_is_booked_and_one_far_over_it_costs_the_connection() -> None:
    with ingest(None) as at:
        address = at.receiver.addresses[0]
        with connect_push(address, linger_ms=0) as camera:
            send(camera, frame("top", 0))
            send(camera, frame("top", 1, bytes(MAX_PAYLOAD + 1)))
            send(camera, frame("top", 2, bytes(2 * MAX_PAYLOAD)))
            send(camera, frame("top", 3, bytes(MAX_PAYLOAD)))
            messages = [at.take() for _ in range(4)]
            assert [reason(m) for m in messages] == [
                None,
                RejectReason.PAYLOAD_SIZE,
                RejectReason.PAYLOAD_SIZE,
                None,
            ]
            assert [parse_placed(m.parts).header.seq for m in messages] == [0, 1, 2, 3]
            assert not at.hung_up
            send(camera, frame("top", 4, bytes(2 * MAX_PAYLOAD + 1)))
            wait_until(lambda: len(at.hung_up) == 1)
        with connect_push(address, linger_ms=0) as other:
            send(other, frame("side"))
            assert at.reasons(1) == [("side", None)]


def test_without_a_doorkeeper_that_lives_the_receiver_ends_with_his_failure() -> None:
    def die(_reason: TurnedAway) -> None:
        raise RuntimeError("struck by lightning")

    keeper = Doorkeeper(Plant().keyring, turned_away=die)
    backlog = Backlog(
        DropPolicy.BLOCK, frames=9, max_bytes=2**20, max_age_s=5.0, clock=SystemClock()
    )
    receiver = Receiver(
        (ANYWHERE,),
        backlog,
        clock=SystemClock(),
        beat=lambda: None,
        max_payload_bytes=MAX_PAYLOAD,
        door=keeper,
    )
    with keeper, receiver, connect_push(receiver.addresses[0], linger_ms=0):
        wait_until(lambda: not receiver.alive)
        assert receiver.failure is keeper.failure
        assert isinstance(receiver.failure, RuntimeError)
        assert backlog.ended


ENDLESS = """
import sys
from edge_daemon.clock import SystemClock
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.ingest.memory_limit import MemoryLimit, resident_bytes
from edge_daemon.ingest.receiver import Receiver

backlog = Backlog(
    DropPolicy.BLOCK, frames=9, max_bytes=2**20, max_age_s=5.0, clock=SystemClock()
)
receiver = Receiver(
    ("tcp://127.0.0.1:*",),
    backlog,
    clock=SystemClock(),
    beat=lambda: None,
    max_payload_bytes=10_000,
    memory=MemoryLimit(resident_bytes() + 2**27),
)
with receiver:
    print(receiver.addresses[0], flush=True)
    while receiver.alive:
        receiver.join()
print(type(receiver.failure).__name__, receiver.failure, backlog.ended, flush=True)
"""


def test_a_message_without_end_ends_the_process_in_order_before_it_has_eaten_the_memory() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        with RawPeer(process.stdout.readline().strip()) as endless:
            endless.ready()
            with suppress(OSError):
                while process.poll() is None:
                    endless.socket.sendall(b"\x01\x00" * 50_000)  # empty parts, more to come
        last = process.stdout.read()
    assert last.startswith(MemoryLimitError.__name__)
    assert "a camera sends messages without end" in last
    assert process.returncode == 0
