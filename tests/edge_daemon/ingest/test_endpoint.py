import os
import stat
import threading
import time
from pathlib import Path

import pytest
import zmq

from edge_daemon.errors import EndpointError
from edge_daemon.ingest.endpoint import bind_pull, connect_push
from edge_daemon.ingest.keys import Login, make_pair


@pytest.mark.parametrize("address", ["", "127.0.0.1:5555", "nonsense://x", "tcp://*"])
def test_what_is_no_address_is_refused_with_the_remedy(address: str) -> None:
    with pytest.raises(EndpointError, match="tcp://HOST:PORT"), connect_push(address, linger_ms=0):
        pass
    with (
        pytest.raises(EndpointError, match="tcp://HOST:PORT"),
        bind_pull(address, max_part_bytes=9),
    ):
        pass


def test_an_address_that_is_taken_names_who_may_have_it() -> None:
    address = "tcp://127.0.0.1:*"
    with bind_pull(address, max_part_bytes=9) as first:
        taken = first.getsockopt_string(zmq.LAST_ENDPOINT)
        with pytest.raises(EndpointError, match="bound to it"), bind_pull(taken, max_part_bytes=9):
            pass


def test_who_sends_a_longer_part_is_disconnected_and_others_are_not(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/frames"
    with bind_pull(address, max_part_bytes=100) as pull:
        with connect_push(address, linger_ms=2000) as long:
            long.poll(5000, zmq.POLLOUT)
            long.send(bytes(101))
        with connect_push(address, linger_ms=2000) as short:
            short.poll(5000, zmq.POLLOUT)
            short.send(b"short")
        assert pull.poll(5000)
        assert pull.recv() == b"short"


def test_the_last_frames_of_a_camera_that_has_left_still_come() -> None:
    def leave_after(frames: int) -> None:
        with connect_push(address, linger_ms=20_000) as push:
            for number in range(frames):
                push.send_multipart([str(number).encode(), bytes(100_000)])

    with bind_pull("tcp://127.0.0.1:*", max_part_bytes=2**20) as pull:
        address = pull.getsockopt_string(zmq.LAST_ENDPOINT)
        camera = threading.Thread(target=leave_after, args=(20,))
        camera.start()
        arrived: list[int] = []
        while len(arrived) < 20 and pull.poll(5000):
            arrived.append(int(pull.recv_multipart()[0]))
            time.sleep(0.1)
        camera.join()
    assert arrived == list(range(20))


def test_a_path_that_somebody_listens_on_is_refused_and_stays_his(tmp_path: Path) -> None:
    address = f"ipc://{tmp_path}/frames"
    with bind_pull(address, max_part_bytes=1000) as first:
        with (
            pytest.raises(EndpointError, match=r"Address already in use\): stop the daemon"),
            bind_pull(address, max_part_bytes=1000),
        ):
            pass
        with connect_push(address, linger_ms=2000) as push:
            push.send(b"mine")
        assert first.poll(5000)
        assert first.recv() == b"mine"


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("tcp://192.0.2.1:5555", "take an address of this computer's"),
        ("ipc:///nowhere/at/all/frames", "make its folder"),
        (f"ipc:///tmp/{'x' * 120}", "107 characters"),
    ],
)
def test_an_address_that_cannot_be_bound_is_refused_with_the_remedy(
    address: str, remedy: str
) -> None:
    with pytest.raises(EndpointError, match=remedy), bind_pull(address, max_part_bytes=9):
        pass


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_file_of_an_ipc_address_is_for_owner_and_group_whatever_the_umask(
    tmp_path: Path, umask: int
) -> None:
    before = os.umask(umask)
    try:
        with bind_pull(f"ipc://{tmp_path}/frames", max_part_bytes=9):
            mode = (tmp_path / "frames").stat().st_mode
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o660


def test_an_ipc_address_without_a_file_is_refused_as_nothing_could_close_it_to_others() -> None:
    with (
        pytest.raises(EndpointError, match="name a file"),
        bind_pull("ipc://@frames", max_part_bytes=9),
    ):
        pass


def test_keys_for_an_address_that_takes_none_are_refused(tmp_path: Path) -> None:
    login = Login(make_pair(), make_pair().public)
    with (
        pytest.raises(EndpointError, match="takes no keys"),
        connect_push(f"ipc://{tmp_path}/frames", linger_ms=0, login=login),
    ):
        pass
