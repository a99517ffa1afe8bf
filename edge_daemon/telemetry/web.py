"""The HTTP side: `/metrics`, `/livez`, `/readyz`, an index on `/`, and room for further pages.

It serves a handful of clients (Prometheus, a probe, an operator), not the internet; how it keeps
them from holding up the line stands in `edge_daemon.telemetry.connections`. With a certificate it
speaks TLS, with a token it asks for that, except on `/livez`: a probe that restarts what stands
still has no secret to show, and learns nothing but the names of threads.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from html import escape
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from prometheus_client.exposition import choose_encoder

from edge_daemon.addresses import is_loopback
from edge_daemon.certificates import server_context
from edge_daemon.errors import ConfigurationError, EndpointError
from edge_daemon.telemetry.connections import (
    PATIENCE_S,
    READABLE,
    ConnectionServer,
    Request,
    Response,
)
from edge_daemon.telemetry.health import Health, Report
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.token import BearerToken

__all__ = ["Response", "WebServer"]

_OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0"
_OPEN_TO_ALL: Final = "/livez"

Page = Callable[[], Response]


class WebServer:
    """Serves metrics, health and pages while its `with` block is open.

    Args:
        bind: `host:port`, `[v6]:port`; port 0 takes a free one.
        metrics: rendered by `/metrics`; its `ready` is brought up to date on each scrape.
        health: answers `/livez` and `/readyz`.
        pages: further pages by path; one for `/` replaces the index. They run in the
            client's thread, at the same time as all else.
        certificate_file: PEM; with it and its key only https is spoken. Read at the start.
        key_file: PEM, not encrypted.
        token_file: one line that who asks has to show as `Authorization: Bearer`. Read at the
            start.
        patience_s: how long one connection may last, from accepting to the last byte.
    """

    def __init__(
        self,
        bind: str,
        metrics: Metrics,
        *,
        health: Health,
        pages: Mapping[str, Page] | None = None,
        certificate_file: Path | None = None,
        key_file: Path | None = None,
        token_file: Path | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._bind = bind
        self._certificate_file = certificate_file
        self._key_file = key_file
        self._token_file = token_file
        self._patience_s = patience_s
        self._token: BearerToken | None = None
        self._metrics = metrics
        self._health = health
        self._pages = {"/": self._index, "/livez": self._livez, "/readyz": self._readyz}
        self._pages |= pages or {}

    def __enter__(self) -> Self:
        """Bind and start serving.

        Raises:
            ConfigurationError: `bind` is no address, a file can't be used.
            EndpointError: the address can't be had.
        """
        if self._token_file is not None:
            self._token = BearerToken.from_file(self._token_file)
        self._server = self._listen()
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

    @property
    def url(self) -> str:
        """`http://host:port`, or `https://` where there is a certificate."""
        return f"http{'' if self._certificate_file is None else 's'}://{self.address}"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, but should not stay so."""
        if is_loopback(_parse_bind(self._bind)[0]):
            return ()
        if self._token_file is None:
            return (f"[http] bind: who reaches {self._bind} reads every page; name token_file",)
        if self._certificate_file is None:
            return (f"[http] token_file: read by all on the way to {self._bind} without TLS",)
        return ()

    def respond(self, request: Request) -> Response:
        """Answer one request."""
        if not self._admits(request):
            return _ask_for_token(shown=bool(request.authorization))
        page = self._pages.get(request.path)
        if request.path == "/metrics":
            return self._scrape(request.accept) if request.method in READABLE else _refuse_method()
        if page is None:
            return _text(HTTPStatus.NOT_FOUND, "no such page; / lists those there are\n")
        return page() if request.method in READABLE else _refuse_method()

    def _admits(self, request: Request) -> bool:
        if self._token is None or request.path == _OPEN_TO_ALL:
            return True
        return self._token.admits(request.authorization)

    def _listen(self) -> ConnectionServer:
        host, port = _parse_bind(self._bind)
        context = None
        if self._certificate_file is not None and self._key_file is not None:
            context = server_context(self._certificate_file, self._key_file, section="http")
        elif self._certificate_file is not None or self._key_file is not None:
            raise ConfigurationError(
                "[http] certificate_file and key_file come together: name both, or neither"
            )
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            return ConnectionServer(
                (str(address[0]), port),
                self.respond,
                family=family,
                context=context,
                patience_s=self._patience_s,
            )
        except (OSError, UnicodeError) as error:  # UnicodeError: no valid host name
            found = getattr(error, "strerror", None) or error
            raise EndpointError(
                f'[http] bind = "{self._bind}": {found}; stop what listens there '
                f"(ss -ltnp 'sport = :{port}' shows it) or choose an address of this computer "
                "and a free port"
            ) from error

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


def _text(status: HTTPStatus, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, "text/plain; charset=utf-8", text.encode(), headers or {})


def _refuse_method() -> Response:
    allowed = {"Allow": ", ".join(READABLE)}
    return _text(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD\n", allowed)


def _ask_for_token(*, shown: bool) -> Response:
    challenge = 'Bearer realm="edge-daemon"' + (', error="invalid_token"' if shown else "")
    headers = {"WWW-Authenticate": challenge}
    return _text(HTTPStatus.UNAUTHORIZED, "the token of [http] token_file is wanted\n", headers)


def _parse_bind(bind: str) -> tuple[str, int]:
    host, colon, port = bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (host and colon and port.isdecimal() and int(port) <= 65535):  # noqa: PLR2004 - TCP's
        raise ConfigurationError(
            f'[http] bind = "{bind}": expected host:port, for instance "127.0.0.1:9108"'
        )
    return host, int(port)
