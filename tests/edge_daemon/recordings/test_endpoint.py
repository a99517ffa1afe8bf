import os
import signal
from pathlib import Path

import pytest
import zmq

from edge_daemon.recordings.endpoint import (
    EndpointError,
    bind_pull,
    connect_push,
    stop_on_signals,
)


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_flag_and_the_old_handler_is_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before
