import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

from edge_daemon.certificates import server_context
from edge_daemon.telemetry.connections import (
    MAX_CONNECTIONS,
    MAX_HEAD_BYTES,
    ConnectionServer,
    Request,
    Response,
)
from tests.authority import Authority, needs_openssl
from tests.conftest import wait_until

PATIENCE_S = 0.5
TRICKLE_S = 0.05


@contextmanager
def serving(
    context: ssl.SSLContext | None = None, *, patience_s: float = PATIENCE_S
) -> Iterator[tuple[str, int]]:
    """A server that answers each request with its path."""

    def echo(request: Request) -> Response:
        return Response(HTTPStatus.OK, "text/plain", request.path.encode())

    address = ("127.0.0.1", 0)
    with ConnectionServer(
        address, echo, family=socket.AF_INET, context=context, patience_s=patience_s
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        host, port = server.server_address[:2]
        try:
            yield str(host), port
        finally:
            server.shutdown()
            thread.join()


def ask(address: tuple[str, int], path: str = "/", context: ssl.SSLContext | None = None) -> str:
    connection = (
        http.client.HTTPConnection(*address, timeout=20)
        if context is None
        else http.client.HTTPSConnection(*address, timeout=20, context=context)
    )
    with closing(connection):
        connection.request("GET", path)
        return connection.getresponse().read().decode()


def trickle(client: socket.socket, text: bytes) -> None:
    """Send a byte now and then until the other side has had enough."""
    client.settimeout(TRICKLE_S)
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        client.sendall(text)
        with suppress(TimeoutError):
            assert client.recv(1) == b""
            return
    raise AssertionError("nobody hung up")


@pytest.mark.parametrize("text", [b"a", b"X-A: b\r\n"])
def test_a_client_that_trickles_its_head_is_hung_up_on_however_busy_it_is(text: bytes) -> None:
    with serving() as address, socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):
            trickle(client, text)


def test_while_as_many_as_fit_trickle_others_are_answered() -> None:
    with serving(patience_s=20) as address, ExitStack() as stack:
        for _ in range(MAX_CONNECTIONS):
            client = stack.enter_context(socket.create_connection(address))
            client.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        assert ask(address, "/one") == "/one"
        assert ask(address, "/two") == "/two"


def test_a_flood_of_connections_leaves_no_more_threads_than_there_are_places() -> None:
    before = threading.active_count()
    with serving(patience_s=20) as address, ExitStack() as stack:
        for _ in range(10 * MAX_CONNECTIONS):
            client = stack.enter_context(socket.create_connection(address))
            client.sendall(b"GET /")
        wait_until(lambda: threading.active_count() <= before + 1 + MAX_CONNECTIONS)
        assert ask(address) == "/"
    wait_until(lambda: threading.active_count() == before)


def test_a_head_that_is_too_long_is_refused_before_it_is_read_to_its_end() -> None:
    with serving(patience_s=20) as address, socket.create_connection(address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX-Long: " + b"x" * MAX_HEAD_BYTES)
        assert client.recv(65536).startswith(b"HTTP/1.0 431 ")


def test_a_head_as_long_as_allowed_is_answered() -> None:
    start, end = b"GET /long HTTP/1.0\r\nX-Long: ", b"\r\n\r\n"
    filling = b"x" * (MAX_HEAD_BYTES - len(start) - len(end))
    with serving() as address, socket.create_connection(address) as client:
        client.sendall(start + filling + end)
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\n/long")


def test_a_head_that_comes_byte_by_byte_is_answered() -> None:
    with serving(patience_s=20) as address, socket.create_connection(address) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET /slow HTTP/1.0\n\n":
            client.sendall(bytes([byte]))
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n\r\n/slow")


@pytest.fixture(scope="module")
def contexts(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """Make what a server needs to speak TLS, and what a client has to trust."""
    authority = Authority(tmp_path_factory.mktemp("certificates") / "plant")
    pair = authority.issue("daemon")
    context = server_context(pair.certificate, pair.key, section="http")
    return context, authority.certificate


@needs_openssl
def test_with_a_certificate_it_speaks_tls(contexts: tuple[ssl.SSLContext, Path]) -> None:
    client = ssl.create_default_context(cafile=contexts[1])
    with serving(contexts[0], patience_s=20) as address:
        assert ask(address, "/secret", client) == "/secret"


@needs_openssl
def test_with_a_certificate_a_plain_request_gets_no_page(
    contexts: tuple[ssl.SSLContext, Path],
) -> None:
    with serving(contexts[0]) as address, socket.create_connection(address) as client:
        client.sendall(b"GET /secret HTTP/1.0\r\n\r\n")
        with suppress(ConnectionError), client.makefile("rb") as answer:
            assert b"/secret" not in answer.read()


@needs_openssl
def test_tls_1_1_is_turned_away(contexts: tuple[ssl.SSLContext, Path]) -> None:
    old = ssl.create_default_context(cafile=contexts[1])
    old.set_ciphers("ALL:@SECLEVEL=0")  # or this side would refuse to begin
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with serving(contexts[0], patience_s=20) as address, pytest.raises(ssl.SSLError):
        ask(address, "/", old)


@needs_openssl
def test_clients_that_do_not_shake_hands_keep_nobody_out_and_are_hung_up_on(
    contexts: tuple[ssl.SSLContext, Path],
) -> None:
    client = ssl.create_default_context(cafile=contexts[1])
    with serving(contexts[0]) as address, ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(address, timeout=20))
            for _ in range(2 * MAX_CONNECTIONS)
        ]
        assert ask(address, "/", client) == "/"
        for each in silent:
            with suppress(ConnectionError):
                assert each.recv(1) == b""


@needs_openssl
def test_a_client_that_shakes_hands_and_then_trickles_is_hung_up_on(
    contexts: tuple[ssl.SSLContext, Path],
) -> None:
    context = ssl.create_default_context(cafile=contexts[1])
    with (
        serving(contexts[0]) as address,
        socket.create_connection(address) as plain,
        context.wrap_socket(plain, server_hostname=address[0]) as client,
        suppress(ConnectionError, ssl.SSLEOFError),
    ):
        trickle(client, b"a")
