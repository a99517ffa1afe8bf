import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.proxy import Proxy, Weather


@contextmanager
def echo() -> Iterator[int]:
    """Serve what sends back whatever it gets."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve(taken: socket.socket) -> None:
            with taken, contextlib.suppress(OSError):
                while piece := taken.recv(4096):
                    taken.sendall(piece)

        def accept() -> None:
            while True:
                try:
                    taken, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(taken,), daemon=True).start()

        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with echo() as port, Proxy(port) as proxy:
        yield proxy


@contextmanager
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connected:
        connected.sendall(b"hello")
        assert connected.recv(5) == b"hello"
        yield connected


def test_in_fair_weather_all_goes_through(proxy: Proxy) -> None:
    with client(proxy) as connected:
        connected.sendall(b"x" * 100_000)
        got = 0
        while got < 100_000:
            got += len(connected.recv(65536))
    assert proxy.connections == 1


@pytest.mark.parametrize("weather", [Weather.BLACK_HOLE, Weather.HALF_OPEN])
def test_where_nothing_comes_back_the_connection_stays_up(proxy: Proxy, weather: Weather) -> None:
    with client(proxy) as connected:
        proxy.weather = weather
        connected.sendall(b"lost")
        connected.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connected.recv(1)
        connected.sendall(b"and not refused")


def test_what_fell_into_a_black_hole_arrives_when_the_cable_is_back(proxy: Proxy) -> None:
    with client(proxy) as connected:
        proxy.weather = Weather.BLACK_HOLE
        connected.sendall(b"later")
        proxy.weather = Weather.FAIR
        assert connected.recv(5) == b"later"


def test_a_connection_that_was_half_open_is_reset_afterwards(proxy: Proxy) -> None:
    with client(proxy) as connected:
        proxy.weather = Weather.HALF_OPEN
        connected.sendall(b"lost")
        time.sleep(0.2)
        proxy.weather = Weather.FAIR
        connected.sendall(b"more")
        with pytest.raises(ConnectionResetError):
            connected.recv(1)


def test_a_new_connection_into_a_black_hole_is_accepted_and_silent(proxy: Proxy) -> None:
    proxy.weather = Weather.BLACK_HOLE
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=0.3) as connected:
        connected.sendall(b"lost")
        with pytest.raises(TimeoutError):
            connected.recv(1)


def test_a_reset_is_a_reset(proxy: Proxy) -> None:
    with client(proxy) as connected:
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            connected.recv(1)


def test_a_delay_delays(proxy: Proxy) -> None:
    with client(proxy) as connected:
        proxy.delay_s = 0.15
        began_s = time.monotonic()
        connected.sendall(b"late")
        assert connected.recv(4) == b"late"
        assert time.monotonic() - began_s >= 0.3


def test_a_trickle_is_a_byte_at_a_time(proxy: Proxy) -> None:
    with client(proxy) as connected:
        proxy.weather = Weather.TRICKLE
        connected.sendall(b"slow")
        assert connected.recv(4) == b"s"
        proxy.weather = Weather.FAIR
        rest = b""
        while rest != b"low":
            rest += connected.recv(4)


def test_a_server_that_is_away_closes_the_door() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with Proxy(port) as proxy, socket.create_connection(("127.0.0.1", proxy.port)) as connected:
        assert connected.recv(1) == b""
