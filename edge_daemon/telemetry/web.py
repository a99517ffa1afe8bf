"""The HTTP side: `/metrics`, `/livez`, `/readyz`, an index on `/`, and room for further pages.

It serves a handful of local clients (Prometheus, a probe, an operator), not the internet: one
thread per connection, one request per connection, no TLS. What it must never do is hold up the
line: threads are bounded, and a client that is slow to speak or to read loses its connection, the
oldest first when places run out.
"""

import json
import logging
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from types import TracebackType
from typing import Any, Self

from prometheus_client.exposition import choose_encoder

from edge_daemon.errors import ConfigurationError, EndpointError
from edge_daemon.telemetry.health import Health, Report
from edge_daemon.telemetry.metrics import Metrics

CLIENT_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 16
_READABLE = ("GET", "HEAD")
_OPENMETRICS = "application/openmetrics-text; version=1.0.0"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back to the client."""

    status: HTTPStatus
    content_type: str
    body: bytes


Page = Callable[[], Response]


class WebServer:
    """Serves metrics, health and pages while its `with` block is open.

    Args:
        bind: `host:port`, `[v6]:port`; port 0 takes a free one.
        metrics: rendered by `/metrics`; its `ready` is brought up to date on each scrape.
        health: answers `/livez` and `/readyz`.
        pages: further pages by path; one for `/` replaces the index. They run in the
            client's thread, at the same time as all else.
    """

    def __init__(
        self,
        bind: str,
        metrics: Metrics,
        *,
        health: Health,
        pages: Mapping[str, Page] | None = None,
    ) -> None:
        self._bind = bind
        self._metrics = metrics
        self._health = health
        self._pages = {"/": self._index, "/livez": self._livez, "/readyz": self._readyz}
        self._pages |= pages or {}

    def __enter__(self) -> Self:
        """Bind and start serving.

        Raises:
            ConfigurationError: `bind` is no address.
            EndpointError: it can't be had.
        """
        host, port = _parse_bind(self._bind)
        try:
            self._server = _listen(host, port, respond=self.respond)
        except (OSError, UnicodeError) as error:  # UnicodeError: no valid host name
            found = getattr(error, "strerror", None) or error
            raise EndpointError(
                f'[http] bind = "{self._bind}": {found}; stop what listens there '
                f"(ss -ltnp 'sport = :{port}' shows it) or choose an address of this computer "
                "and a free port"
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="http", kwargs={"poll_interval": 0.1}
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop listening and cut what is still connected."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def address(self) -> str:
        """`host:port` as really bound."""
        host, port = self._server.socket.getsockname()[:2]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def respond(self, method: str, path: str, accept: str) -> Response:
        """Answer one request.

        Args:
            method: the HTTP method.
            path: without the query.
            accept: the header `Accept`, or an empty string.
        """
        page = self._pages.get(path)
        if path == "/metrics":
            return self._scrape(accept) if method in _READABLE else _refuse_method()
        if page is None:
            return _text(HTTPStatus.NOT_FOUND, "no such page; / lists those there are\n")
        return page() if method in _READABLE else _refuse_method()

    def _scrape(self, accept: str) -> Response:
        self._metrics.ready.set(self._health.ready().ok)
        # Only ever the one spelling: the library fails on versions that aren't numbers.
        preferred = _OPENMETRICS if _OPENMETRICS.partition(";")[0] in accept else ""
        encode, content_type = choose_encoder(preferred)
        return Response(HTTPStatus.OK, content_type, encode(self._metrics.registry))

    def _livez(self) -> Response:
        return _health_page("live", self._health.live())

    def _readyz(self) -> Response:
        return _health_page("ready", self._health.ready())

    def _index(self) -> Response:
        paths = sorted({*self._pages, "/metrics"} - {"/"})
        links = "".join(f'<li><a href="{escape(path)}">{escape(path)}</a>' for path in paths)
        html = f'<!doctype html><html lang="en"><title>edge-daemon</title><ul>{links}</ul>\n'
        return Response(HTTPStatus.OK, "text/html; charset=utf-8", html.encode())


def _health_page(question: str, report: Report) -> Response:
    status = HTTPStatus.OK if report.ok else HTTPStatus.SERVICE_UNAVAILABLE
    answer = {question: report.ok, "reasons": dict(report.reasons)}
    if report.notes:
        answer["notes"] = dict(report.notes)
    body = json.dumps(answer, ensure_ascii=False)
    return Response(status, "application/json", body.encode() + b"\n")


def _text(status: HTTPStatus, text: str) -> Response:
    return Response(status, "text/plain; charset=utf-8", text.encode())


def _refuse_method() -> Response:
    return _text(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD\n")


def _parse_bind(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isdecimal() and int(port) <= 65535):  # noqa: PLR2004 - TCP's
        raise ConfigurationError(
            f'[http] bind = "{bind}": expected host:port, for instance "127.0.0.1:9108"'
        )
    return host, int(port)


class _Server(ThreadingMixIn, TCPServer):
    """Bounds the connections: a new one pushes out the oldest when all places are taken.

    Not `http.server.HTTPServer`, which looks up its own name in the DNS before it listens.
    """

    allow_reuse_address = True
    request_queue_size = 128  # a full queue would make honest clients wait a second to connect
    daemon_threads = True  # a page that takes its time must not hold up the daemon's leaving

    def __init__(
        self,
        address: tuple[str, int],
        *,
        family: socket.AddressFamily,
        respond: Callable[[str, str, str], Response],
    ) -> None:
        self.address_family = family  # read by the constructor below
        self.respond = respond
        self._connections: dict[socket.socket, None] = {}  # oldest first
        self._lock = threading.Lock()  # guards _connections, touched by every client's thread
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as typed in socketserver
        with self._lock:
            if len(self._connections) >= MAX_CONNECTIONS:
                oldest = next(iter(self._connections))
                del self._connections[oldest]
                _cut(oldest)
            self._connections[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as typed in socketserver
        with self._lock:
            self._connections.pop(request, None)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self._lock:
            for connection in self._connections:
                _cut(connection)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401, ARG002 - as typed in socketserver
        if isinstance(sys.exception(), OSError):
            _LOG.debug("client %s went away", client_address, exc_info=True)
        else:
            _LOG.error("a page failed", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_TIMEOUT_S
    server_version = "edge-daemon"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        response = self.server.respond(self.command, path, self.headers.get("Accept", ""))
        self.send_response(response.status)
        self.send_header("Content-Type", response.content_type)
        self.send_header("Content-Length", str(len(response.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if response.status is HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", ", ".join(_READABLE))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(response.body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET  # noqa: N815 - http.server's

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as named in http.server
        _LOG.debug(format, *args)


def _listen(host: str, port: int, *, respond: Callable[[str, str, str], Response]) -> _Server:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    return _Server((str(address[0]), port), family=family, respond=respond)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits on it
    except OSError:
        _LOG.debug("a client was gone before it was cut off", exc_info=True)
