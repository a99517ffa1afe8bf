import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from http import HTTPStatus
from pathlib import Path

import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.errors import ConfigurationError, EndpointError
from edge_daemon.telemetry.connections import MAX_CONNECTIONS, PATIENCE_S
from edge_daemon.telemetry.health import Health
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.web import Response, WebServer
from tests.authority import Authority, needs_openssl

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")

MS = 1_000_000


@pytest.fixture
def health(clock: ManualClock) -> Health:
    return Health(clock)


@pytest.fixture
def address(used_metrics: Metrics, health: Health) -> Iterator[str]:
    with WebServer("127.0.0.1:0", used_metrics, health=health) as server:
        yield server.address


def fetch(
    address: str,
    path: str,
    *,
    method: str = "GET",
    accept: str = "",
    token: str | None = None,
    trust: Path | None = None,
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address, timeout=20)
    if trust is not None:
        context = ssl.create_default_context(cafile=trust)
        connection = http.client.HTTPSConnection(address, timeout=20, context=context)
    headers = {"Accept": accept}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def check_metrics(text: bytes) -> subprocess.CompletedProcess[bytes]:
    assert PROMTOOL
    return subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, check=False
    )


def connect(address: str, send: bytes) -> socket.socket:
    host, _, port = address.rpartition(":")
    client = socket.create_connection((host, int(port)), timeout=20)
    client.sendall(send)
    return client


@needs_promtool
def test_promtool_finds_nothing_wrong_with_a_real_scrape(address: str) -> None:
    status, headers, body = fetch(address, "/metrics")
    assert status == HTTPStatus.OK
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    verdict = check_metrics(body)
    assert (verdict.returncode, verdict.stdout, verdict.stderr) == (0, b"", b"")


@needs_promtool
def test_promtool_bites_on_a_bad_name_in_the_same_scrape(address: str) -> None:
    _, _, body = fetch(address, "/metrics")
    bad = b"# TYPE edge_daemon_delay_ms counter\nedge_daemon_delay_ms 1\n"
    assert check_metrics(body + bad).returncode == 3


def test_a_scraper_that_prefers_openmetrics_gets_it(address: str) -> None:
    _, headers, body = fetch(
        address, "/metrics", accept="application/openmetrics-text; version=1.0.0"
    )
    assert headers["Content-Type"].startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    "version",
    ["1.0.0\r\n X-Evil: 1", "1.0.0;\r\n escaping=allow-utf-8\r\n X-Evil: 1", "x", "1..", ""],
)
@pytest.mark.parametrize("kind", ["application/openmetrics-text", "text/plain"])
def test_a_strange_accept_header_gets_a_plain_answer_and_no_header_of_its_own(
    address: str, kind: str, version: str
) -> None:
    request = f"GET /metrics HTTP/1.0\r\nAccept: {kind}; version={version}\r\n\r\n"
    with connect(address, request.encode()) as client, client.makefile("rb") as answer:
        head, _, body = answer.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200")
    assert b"\nX-Evil" not in head
    assert b"\n " not in head
    assert b"edge_daemon_build_info" in body


def test_livez_flips_when_one_worker_of_two_stalls(
    address: str, health: Health, clock: ManualClock
) -> None:
    beating, _ = health.worker("ingest", 5.0), health.worker("sender", 5.0)
    status, headers, body = fetch(address, "/livez")
    assert (status, json.loads(body)) == (HTTPStatus.OK, {"live": True, "reasons": {}})
    assert headers["Content-Type"] == "application/json"
    clock.advance(6000 * MS)
    beating.beat()
    status, _, body = fetch(address, "/livez")
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert set(json.loads(body)["reasons"]) == {"sender"}


def test_readyz_gives_the_reasons_until_all_is_well(address: str, health: Health) -> None:
    condition = health.condition("bundle")
    condition.not_ok("schlüssel fehlt")
    status, _, body = fetch(address, "/readyz")
    assert status == HTTPStatus.SERVICE_UNAVAILABLE
    assert json.loads(body) == {"ready": False, "reasons": {"bundle": "schlüssel fehlt"}}
    condition.ok()
    status, _, body = fetch(address, "/readyz")
    assert (status, json.loads(body)) == (HTTPStatus.OK, {"ready": True, "reasons": {}})


def test_a_scrape_sees_the_readiness_of_this_moment(address: str, health: Health) -> None:
    assert b"\nedge_daemon_ready 0.0\n" in fetch(address, "/metrics")[2]
    health.condition("bundle").ok()
    assert b"\nedge_daemon_ready 1.0\n" in fetch(address, "/metrics")[2]


def test_the_index_links_to_every_other_page(address: str) -> None:
    status, _, body = fetch(address, "/")
    assert status == HTTPStatus.OK
    for path in ("/metrics", "/livez", "/readyz"):
        assert f'href="{path}"'.encode() in body


def test_a_query_does_not_change_the_page(address: str) -> None:
    assert fetch(address, "/livez?verbose=1")[0] == HTTPStatus.OK


@pytest.mark.parametrize("path", ["/nothing", "/metrics/", "/%2e%2e/etc/passwd"])
def test_an_unknown_path_is_404(address: str, path: str) -> None:
    assert fetch(address, path)[0] == HTTPStatus.NOT_FOUND


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/", "/metrics", "/readyz"])
def test_writing_is_405_and_says_what_is_allowed(address: str, path: str, method: str) -> None:
    status, headers, _ = fetch(address, path, method=method)
    assert status == HTTPStatus.METHOD_NOT_ALLOWED
    assert headers["Allow"] == "GET, HEAD"


def test_head_has_the_headers_of_get_and_no_body(address: str, health: Health) -> None:
    health.condition("bundle").ok()
    status, headers, body = fetch(address, "/readyz", method="HEAD")
    assert (status, body) == (HTTPStatus.OK, b"")
    assert int(headers["Content-Length"]) == len(fetch(address, "/readyz")[2])


def test_a_page_can_be_added_and_the_index_replaced(used_metrics: Metrics, health: Health) -> None:
    pages = {"/": lambda: Response(HTTPStatus.OK, "text/html", b"<p>line 1")}
    with WebServer("127.0.0.1:0", used_metrics, health=health, pages=pages) as server:
        assert fetch(server.address, "/")[2] == b"<p>line 1"
        assert fetch(server.address, "/livez")[0] == HTTPStatus.OK


def test_a_page_that_fails_is_logged_and_the_next_request_is_served(
    used_metrics: Metrics, health: Health, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> Response:
        raise KeyError("coil")

    with WebServer("127.0.0.1:0", used_metrics, health=health, pages={"/x": broken}) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            fetch(server.address, "/x")
        assert fetch(server.address, "/livez")[0] == HTTPStatus.OK
    assert "a page failed" in caplog.text


def test_clients_that_never_finish_their_request_do_not_keep_others_out(address: str) -> None:
    with ExitStack() as stack:
        for _ in range(3 * MAX_CONNECTIONS):
            stack.enter_context(connect(address, b"GET /metrics HTTP/1.1\r\nX-Slow: "))
        for _ in range(5):
            assert fetch(address, "/metrics")[0] == HTTPStatus.OK


def test_the_oldest_connection_has_to_go_when_places_run_out(address: str) -> None:
    with ExitStack() as stack:
        oldest = stack.enter_context(connect(address, b"GET /livez"))
        for _ in range(MAX_CONNECTIONS):
            stack.enter_context(connect(address, b"GET /livez"))
        oldest.settimeout(PATIENCE_S / 2)  # being pushed out comes before being timed out
        assert oldest.recv(1) == b""


def test_clients_that_do_not_read_do_not_keep_others_out(
    used_metrics: Metrics, health: Health
) -> None:
    more_than_sockets_buffer = Response(HTTPStatus.OK, "text/plain", bytes(32 << 20))
    pages = {"/big": lambda: more_than_sockets_buffer}
    with ExitStack() as stack:
        server = stack.enter_context(
            WebServer("127.0.0.1:0", used_metrics, health=health, pages=pages)
        )
        for _ in range(2 * MAX_CONNECTIONS):
            stack.enter_context(connect(server.address, b"GET /big HTTP/1.1\r\n\r\n"))
        assert fetch(server.address, "/metrics")[0] == HTTPStatus.OK


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"G" * 70_000, b"\r\n"]
)
def test_garbage_ends_its_own_connection_only(address: str, garbage: bytes) -> None:
    with connect(address, garbage) as client, suppress(OSError):  # it may be cut off already
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass
    assert fetch(address, "/livez")[0] == HTTPStatus.OK


def test_leaving_cuts_off_a_client_that_hangs(used_metrics: Metrics, health: Health) -> None:
    with ExitStack() as stack:
        with WebServer("127.0.0.1:0", used_metrics, health=health) as server:
            client = stack.enter_context(connect(server.address, b"GET /met"))
            fetch(server.address, "/livez")  # served in order: by now the other is accepted too
        client.settimeout(PATIENCE_S / 2)
        assert client.recv(1) == b""


def test_leaving_does_not_wait_for_a_page_that_takes_its_time(
    used_metrics: Metrics, health: Health
) -> None:
    entered, release = threading.Event(), threading.Event()

    def slow() -> Response:
        entered.set()
        release.wait()
        return Response(HTTPStatus.OK, "text/plain", b"")

    with (
        WebServer("127.0.0.1:0", used_metrics, health=health, pages={"/slow": slow}) as server,
        connect(server.address, b"GET /slow HTTP/1.0\r\n\r\n"),
    ):
        assert entered.wait(timeout=20)
    assert not release.is_set()
    release.set()


def test_the_port_is_free_again_after_leaving(used_metrics: Metrics, health: Health) -> None:
    with WebServer("127.0.0.1:0", used_metrics, health=health) as server:
        bind = server.address
        fetch(bind, "/livez")
    with WebServer(bind, used_metrics, health=health) as server:
        assert server.address == bind


def test_an_address_in_use_names_the_key_and_the_remedy(
    address: str, used_metrics: Metrics, health: Health
) -> None:
    second = WebServer(address, used_metrics, health=health)
    with pytest.raises(EndpointError) as caught:
        second.__enter__()
    assert f'[http] bind = "{address}": Address already in use' in str(caught.value)
    assert f"sport = :{address.rpartition(':')[2]}" in str(caught.value)


@pytest.mark.parametrize("bind", ["192.0.2.1:9108", f"{'x' * 64}.invalid:9108"])
def test_an_address_of_another_computer_is_refused(
    bind: str, used_metrics: Metrics, health: Health
) -> None:
    server = WebServer(bind, used_metrics, health=health)
    with pytest.raises(EndpointError, match=r"\[http\] bind = .*an address of this computer"):
        server.__enter__()


@pytest.mark.parametrize("bind", ["", "9108", ":9108", "localhost", "localhost:http", "h:65536"])
def test_what_is_no_host_and_port_is_a_configuration_error(
    bind: str, used_metrics: Metrics, health: Health
) -> None:
    server = WebServer(bind, used_metrics, health=health)
    with pytest.raises(ConfigurationError, match=r"expected host:port"):
        server.__enter__()


def test_ipv6_addresses_work_and_keep_their_brackets(used_metrics: Metrics, health: Health) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this computer has no IPv6 loopback")
    with WebServer("[::1]:0", used_metrics, health=health) as server:
        assert server.address.startswith("[::1]:")
        assert fetch(server.address, "/livez")[0] == HTTPStatus.OK


TOKEN = "Kzq1b0wqkS3vQyWk8PoN"  # noqa: S105 - guards nothing


@pytest.fixture
def guarded(tmp_path: Path, used_metrics: Metrics, health: Health) -> Iterator[str]:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    with WebServer("127.0.0.1:0", used_metrics, health=health, token_file=file) as server:
        yield server.address


@pytest.mark.parametrize(
    "path", ["/", "/metrics", "/readyz", "/nothing", "/livez/", "/livez/../metrics"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_token_there_is_nothing_to_see(guarded: str, path: str, method: str) -> None:
    status, headers, body = fetch(guarded, path, method=method)
    assert status == HTTPStatus.UNAUTHORIZED
    assert headers["WWW-Authenticate"] == 'Bearer realm="edge-daemon"'
    assert b"edge_daemon_" not in body
    status, headers, _ = fetch(guarded, path, method=method, token=TOKEN[::-1])
    assert status == HTTPStatus.UNAUTHORIZED
    assert headers["WWW-Authenticate"].endswith('error="invalid_token"')


def test_with_the_token_everything_is_there(guarded: str) -> None:
    assert fetch(guarded, "/metrics", token=TOKEN)[0] == HTTPStatus.OK
    assert fetch(guarded, "/", token=TOKEN)[0] == HTTPStatus.OK
    assert fetch(guarded, "/nothing", token=TOKEN)[0] == HTTPStatus.NOT_FOUND


def test_whether_it_lives_may_be_asked_without_the_token(guarded: str) -> None:
    assert json.loads(fetch(guarded, "/livez")[2]) == {"live": True, "reasons": {}}


@needs_openssl
def test_with_a_certificate_it_is_https_and_the_url_says_so(
    tmp_path: Path, used_metrics: Metrics, health: Health
) -> None:
    authority = Authority(tmp_path / "plant")
    pair = authority.issue("daemon")
    with WebServer(
        "127.0.0.1:0",
        used_metrics,
        health=health,
        certificate_file=pair.certificate,
        key_file=pair.key,
    ) as server:
        assert server.url == f"https://{server.address}"
        status, _, body = fetch(server.address, "/metrics", trust=authority.certificate)
    assert status == HTTPStatus.OK
    assert b"edge_daemon_build_info" in body


def test_a_certificate_without_its_key_is_a_configuration_error(
    tmp_path: Path, used_metrics: Metrics, health: Health
) -> None:
    server = WebServer("127.0.0.1:0", used_metrics, health=health, certificate_file=tmp_path)
    with pytest.raises(ConfigurationError, match=r"\[http\] certificate_file and key_file"):
        server.__enter__()


@pytest.mark.parametrize(
    ("bind", "files", "warning"),
    [
        ("127.0.0.1:0", [], None),
        ("[::1]:0", [], None),
        ("10.0.0.1:9108", [], "who reaches 10.0.0.1:9108 reads every page"),
        ("[::]:9108", ["certificate_file", "key_file"], "reads every page; name token_file"),
        ("10.0.0.1:9108", ["token_file"], "without TLS"),
        ("10.0.0.1:9108", ["certificate_file", "key_file", "token_file"], None),
    ],
)
def test_pages_that_others_can_read_are_warned_of(
    tmp_path: Path,
    used_metrics: Metrics,
    health: Health,
    *,
    bind: str,
    files: list[str],
    warning: str | None,
) -> None:
    named = dict.fromkeys(files, tmp_path)
    warnings = WebServer(bind, used_metrics, health=health, **named).warnings  # type: ignore[arg-type] # paths, all
    assert len(warnings) == (warning is not None)
    assert all(str(warning) in text for text in warnings)
