"""Who gets in at a door that asks for keys, and who doesn't."""

import logging
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Self

import pytest
import zmq

from edge_daemon.ingest.doorkeeper import Doorkeeper
from edge_daemon.ingest.endpoint import PullSocket, bind_pull, connect_push
from edge_daemon.ingest.keys import Keyring, Login, make_pair
from edge_daemon.ingest.turned_away import TurnedAway
from tests.conftest import PATIENCE_S, wait_until
from tests.edge_daemon.ingest.doors import Plant, RawPeer

PATIENCE_MS = int(PATIENCE_S * 1000)
ANYWHERE = "tcp://127.0.0.1:*"


class Door:
    """A bound socket, its doorkeeper, and whom he turned away."""

    def __init__(self, keyring: Keyring | None, address: str = ANYWHERE) -> None:
        self.turned_away: Counter[TurnedAway] = Counter()
        self.ended = 0
        self.now_ns = 0
        self.keeper = Doorkeeper(
            keyring,
            turned_away=self.count,
            hung_up=self.hung_up,
            monotonic_ns=lambda: self.now_ns,
        )
        self._wanted = address
        self._exits = ExitStack()

    def count(self, reason: TurnedAway) -> None:
        self.turned_away[reason] += 1

    def hung_up(self) -> None:
        self.ended += 1

    def __enter__(self) -> Self:
        self._exits.enter_context(self.keeper)
        pull = bind_pull(self._wanted, max_part_bytes=10_000, door=self.keeper)
        self.pull: PullSocket = self._exits.enter_context(pull)
        self.address = self.pull.getsockopt_string(zmq.LAST_ENDPOINT)
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def take(self) -> tuple[bytes, str | None]:
        """The next message and who sent it."""
        assert self.pull.poll(PATIENCE_MS), "nothing came"
        frame = self.pull.recv(copy=False)
        return frame.bytes, self.keeper.sender_of(frame, self.pull)


@pytest.fixture
def plant() -> Plant:
    return Plant()


@pytest.fixture
def door(plant: Plant) -> Iterator[Door]:
    with Door(plant.keyring) as door:
        yield door


@contextmanager
def camera(door: Door, login: Login | None) -> "Iterator[zmq.Socket[bytes]]":
    with connect_push(door.address, linger_ms=0, login=login) as push:
        yield push


def send(push: "zmq.Socket[bytes]", text: bytes) -> None:
    assert push.poll(PATIENCE_MS, zmq.POLLOUT), "not let in"
    push.send(text)


def test_a_camera_with_its_key_gets_in_and_is_known_by_it(door: Door, plant: Plant) -> None:
    with camera(door, plant.login(plant.top)) as top, camera(door, plant.login(plant.side)) as side:
        send(top, b"of top")
        assert door.take() == (b"of top", "top")
        send(side, b"of side")
        assert door.take() == (b"of side", "side")
    assert not door.turned_away


def stranger(plant: Plant) -> Login:
    return plant.login(make_pair())


def no_key(_plant: Plant) -> None:
    return None


def wrong_daemon(plant: Plant) -> Login:
    return Login(plant.top, make_pair().public)


def secret_of_another(plant: Plant) -> Login:
    """One who has read a camera's public key, which is no secret, and has a secret of his own."""
    return plant.login(type(plant.top)(plant.top.public, make_pair().secret))


@pytest.mark.parametrize(
    ("login_of", "reasons"),
    [
        (stranger, {TurnedAway.UNKNOWN_KEY}),
        (no_key, {TurnedAway.NO_KEY, TurnedAway.OTHER}),  # it may be the first to hang up
        (wrong_daemon, {TurnedAway.WRONG_SERVER_KEY}),
        (secret_of_another, {TurnedAway.WRONG_SERVER_KEY}),  # ZeroMQ can't tell these two apart
    ],
)
def test_who_has_not_the_right_keys_is_turned_away_while_cameras_go_on(
    door: Door,
    plant: Plant,
    login_of: Callable[[Plant], Login | None],
    reasons: set[TurnedAway],
) -> None:
    with camera(door, plant.login(plant.top)) as top, camera(door, login_of(plant)) as intruder:
        wait_until(lambda: bool(reasons & set(door.turned_away)))
        send(top, b"goes on")
        assert door.take() == (b"goes on", "top")
        assert not intruder.poll(300, zmq.POLLOUT)
    assert set(door.turned_away) <= reasons | {TurnedAway.OTHER}  # he leaves while he tries again
    assert not door.pull.poll(0)


def test_a_log_line_says_whose_key_was_refused_once_a_second(
    door: Door, plant: Plant, caplog: pytest.LogCaptureFixture
) -> None:
    pair = make_pair()
    with caplog.at_level(logging.WARNING):
        for refused in (1, 2, 3):
            with camera(door, plant.login(pair)):
                wait_until(lambda: door.turned_away.total() == refused)  # noqa: B023 - waits here
            door.now_ns += 500_000_000
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert lines[0].startswith(f"turned away at 127.0.0.1: its key {pair.public}")
    assert all(pair.secret not in line for line in lines)


def test_a_key_that_is_no_longer_listed_lets_nobody_in(plant: Plant) -> None:
    login = plant.login(plant.top)
    with Door(plant.keyring) as before, camera(before, login) as top:
        send(top, b"still")
        assert before.take() == (b"still", "top")
    revoked = Keyring(plant.daemon, {plant.side.public: "side"})
    with Door(revoked) as after, camera(after, login), camera(after, plant.login(plant.side)) as on:
        wait_until(lambda: after.turned_away[TurnedAway.UNKNOWN_KEY] > 0)
        send(on, b"goes on")
        assert after.take() == (b"goes on", "side")


def test_when_the_doorkeeper_has_died_nobody_gets_in_any_more(plant: Plant) -> None:
    def die(_reason: TurnedAway) -> None:
        raise RuntimeError("struck by lightning")

    with Door(plant.keyring) as door, camera(door, plant.login(plant.top)) as inside:
        send(inside, b"before")
        assert door.take() == (b"before", "top")
        door.keeper._turned_away = die  # noqa: SLF001 - the only way to make his thread fail
        with camera(door, None):
            wait_until(lambda: not door.keeper.alive)
        assert isinstance(door.keeper.failure, RuntimeError)
        for login in (plant.login(plant.side), plant.login(make_pair()), None):
            with camera(door, login) as late:
                assert not late.poll(500, zmq.POLLOUT)
        send(inside, b"after")
        assert door.take() == (b"after", "top")


def test_many_who_knock_hold_up_nobody_though_nobody_takes_note(plant: Plant) -> None:
    """More events than ZeroMQ queues by itself: its only I/O thread would stand still."""
    release = threading.Event()

    def sleep(_reason: TurnedAway) -> None:
        release.wait(PATIENCE_S)

    with Door(plant.keyring) as door, camera(door, plant.login(plant.top)) as top:
        send(top, b"before")
        assert door.take() == (b"before", "top")
        door.keeper._turned_away = sleep  # noqa: SLF001 - a slow log, a slow metric
        port = int(door.address.rpartition(":")[2])
        for _ in range(1200):
            socket.create_connection(("127.0.0.1", port)).close()
        send(top, b"after")
        assert door.take() == (b"after", "top")
        release.set()


def test_what_speaks_no_zeromq_is_hung_up_on(door: Door, plant: Plant) -> None:
    port = int(door.address.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as web:
        web.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + bytes(100))
        web.settimeout(PATIENCE_S)
        with suppress(ConnectionResetError):
            while web.recv(100):
                pass
    with camera(door, plant.login(plant.top)) as top:
        send(top, b"goes on")
        assert door.take() == (b"goes on", "top")


@pytest.mark.parametrize("mechanism", [b"CURVE", b"NULL", b"PLAIN", b"NONSENSE"])
def test_a_peer_that_makes_up_who_it_is_does_not_get_in(
    door: Door, plant: Plant, mechanism: bytes
) -> None:
    with RawPeer(door.address, mechanism) as peer:
        with suppress(ConnectionError, AssertionError):
            peer.ready(User_Id=b"top")
        assert peer.is_hung_up_on()
    with camera(door, plant.login(plant.top)) as top:
        send(top, b"goes on")
        assert door.take() == (b"goes on", "top")
    assert door.turned_away.total() > 0


def test_a_peer_without_a_key_is_counted_as_such(door: Door) -> None:
    with RawPeer(door.address) as peer:
        assert peer.is_hung_up_on()
    wait_until(lambda: door.turned_away[TurnedAway.NO_KEY] == 1)
    assert door.turned_away.total() == 1


def test_without_keys_everybody_gets_in_and_is_nobody_whatever_he_makes_up() -> None:
    with Door(None) as door, RawPeer(door.address) as peer:
        peer.ready(User_Id=b"top")
        peer.send(b"forged")
        assert door.take() == (b"forged", None)


def test_ipc_asks_for_no_key_and_believes_no_made_up_name(plant: Plant, tmp_path: object) -> None:
    with Door(plant.keyring, f"ipc://{tmp_path}/frames") as door, RawPeer(door.address) as peer:
        peer.ready(User_Id=b"top")
        peer.send(b"forged")
        assert door.take() == (b"forged", None)


def test_connections_that_end_are_counted_and_failed_handshakes_not_among_them() -> None:
    with Door(None) as door:
        with RawPeer(door.address) as greedy:
            greedy.ready()
            greedy.send(bytes(10_001))  # more than ZeroMQ lets through
            assert greedy.is_hung_up_on()
        wait_until(lambda: door.ended == 1)
        with RawPeer(door.address, b"CURVE") as locked_out:
            assert locked_out.is_hung_up_on()
        wait_until(lambda: door.turned_away.total() == 1)
        with RawPeer(door.address) as leaving:
            leaving.ready()
            leaving.send(b"last")
            assert door.take() == (b"last", None)
        wait_until(lambda: door.ended > 1)
    assert door.ended == 2


def test_a_doorkeeper_says_that_he_lives() -> None:
    beats: list[None] = []
    with Doorkeeper(None, beat=lambda: beats.append(None)) as keeper:
        wait_until(lambda: len(beats) > 3)
        wait_until(lambda: keeper.alive)
    assert not keeper.alive
    assert "doorkeeper" not in {thread.name for thread in threading.enumerate()}


def test_outside_its_with_block_a_doorkeeper_has_no_door() -> None:
    with pytest.raises(RuntimeError, match="with"):
        _ = Doorkeeper(None).context
