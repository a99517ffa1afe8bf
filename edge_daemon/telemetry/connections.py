"""Connections of the HTTP side: bounded in number, in time and in what is read from each.

One thread per connection, one request per connection. A client that is slow to speak, to shake
hands or to read loses its connection after `PATIENCE_S` altogether, however it spreads its bytes;
when places run out, the oldest goes first.
"""

import io
import logging
import re
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

PATIENCE_S = 10.0
MAX_CONNECTIONS = 16
MAX_HEAD_BYTES = 16 * 1024
READABLE = ("GET", "HEAD")
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_ACCEPT_PAUSE_S = 0.1
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks for.

    Attributes:
        method: the HTTP method.
        path: without the query.
        accept: the header `Accept`, or an empty string.
        authorization: the header `Authorization`, or an empty string.
    """

    method: str
    path: str
    accept: str = ""
    authorization: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back to the client.

    Attributes:
        status: of HTTP.
        content_type: of the body.
        body: whole.
        headers: further ones.
    """

    status: HTTPStatus
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class ConnectionServer(ThreadingMixIn, TCPServer):
    """Listens, and answers each connection on a thread of its own.

    Not `http.server.HTTPServer`, which looks up its own name in the DNS before it listens.

    Args:
        address: host and port.
        respond: answers a request, in the client's thread.
        family: of the address.
        context: with it connections are encrypted.
        patience_s: how long one connection may last.
    """

    allow_reuse_address = True
    request_queue_size = 128  # a full queue would make honest clients wait a second to connect
    daemon_threads = True  # a page that takes its time must not hold up the daemon's leaving

    def __init__(
        self,
        address: tuple[str, int],
        respond: Callable[[Request], Response],
        *,
        family: socket.AddressFamily,
        context: ssl.SSLContext | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.address_family = family  # read by the constructor below
        self.respond = respond
        self._context = context
        self._patience_s = patience_s
        self._connections: dict[socket.socket, float] = {}  # since when; oldest first
        self._lock = threading.Lock()  # guards _connections, touched by every client's thread
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; the handshake comes later, in the client's own thread."""
        try:
            connection, address = super().get_request()
        except OSError:
            # Out of descriptors, the socket stays readable: without a pause this thread would spin.
            time.sleep(_ACCEPT_PAUSE_S)
            raise
        connection.settimeout(self._patience_s)
        if self._context is not None:
            connection = self._context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as typed in socketserver
        """Take in a connection; where all places are taken, the oldest has to go."""
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS:
                oldest = next(iter(self._connections))
                del self._connections[oldest]
                _cut(oldest)
            self._connections[request] = time.monotonic()
        super().process_request(request, client_address)

    def service_actions(self) -> None:
        """Cut those who have been here too long; called several times a second."""
        limit_s = time.monotonic() - self._patience_s
        with self._lock:
            for connection in [each for each, at_s in self._connections.items() if at_s < limit_s]:
                del self._connections[connection]
                _cut(connection)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as typed in socketserver
        """End a connection that was answered."""
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Listen no more and cut what is still connected."""
        with self._lock:
            for connection in self._connections:
                _cut(connection)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as typed in socketserver
        """Log what went wrong with a client, who is gone, or with a page, which is a fault."""
        if isinstance(sys.exception(), OSError):
            _LOG.debug("client %s went away", client_address, exc_info=True)
        else:
            _LOG.error("a page failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: ConnectionServer
    server_version = "edge-daemon"
    sys_version = ""

    def setup(self) -> None:
        if isinstance(self.request, ssl.SSLSocket):
            self.request.do_handshake()
        super().setup()

    def handle(self) -> None:
        head = _read_head(self.connection)
        if len(head) > MAX_HEAD_BYTES:
            self.wfile.write(b"HTTP/1.0 431 Request Header Fields Too Large\r\n\r\n")
            return
        self.rfile.close()
        self.rfile = io.BytesIO(head)
        self.handle_one_request()

    def do_GET(self) -> None:
        response = self.server.respond(
            Request(
                self.command,
                self.path.partition("?")[0],
                accept=self.headers.get("Accept", ""),
                authorization=self.headers.get("Authorization", ""),
            )
        )
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as named in http.server
        _LOG.debug(format, *args)


def _read_head(connection: socket.socket) -> bytes:
    """All up to the empty line, or to the client's end; more than allowed is left unread."""
    head = bytearray()
    while len(head) <= MAX_HEAD_BYTES and not _END_OF_HEAD.search(head):
        more = connection.recv(MAX_HEAD_BYTES + 1 - len(head))
        if not more:
            break
        head += more
    return bytes(head)


def _cut(connection: socket.socket) -> None:
    try:
        # The plain socket's own: its thread may be in the midst of what TLS remembers.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)  # wakes that thread
    except OSError:
        _LOG.debug("a client was gone before it was cut off", exc_info=True)
