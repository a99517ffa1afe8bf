"""Nothing secret leaves a daemon, whatever happens to it and however much it is made to say."""

import base64
import http.client
import os
import secrets
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.subscriber import LinkChanged, Received, Subscriber
from edge_daemon.ingest.keys import make_pair
from tests.conftest import PATIENCE_S, Mosquitto, wait_until
from tests.edge_daemon.conftest import DaemonProcess, edge_daemon
from tests.edge_daemon.marked_steel import message, steel
from tests.guarded_site import PASSWORD, Site, needs_guarded_broker

pytestmark = [pytest.mark.broker, needs_guarded_broker, pytest.mark.timeout(300)]
PIECE = 8
"""So many characters of a secret in a row are a leak."""
EVERYTHING = (
    "import logging, sys; logging.basicConfig(level=1, stream=sys.stderr);"
    "from edge_daemon.cli import main; main()"
)


def leaks(text: bytes, secret: bytes) -> list[bytes]:
    """Pieces of a secret that a text gives away, in clear or in base64."""
    pieces = []
    for form in (secret, base64.b64encode(secret), secret.hex().encode()):
        windows = (form[at : at + PIECE] for at in range(len(form) - PIECE + 1))
        pieces += [window for window in windows if window in text]
    return pieces


@dataclass(frozen=True)
class Story:
    """The secrets of a daemon by name, and all that came out of it by where."""

    secrets: dict[str, bytes] = field(default_factory=dict)
    seen: dict[str, bytes] = field(default_factory=dict)

    def note(self, where: str, text: bytes | str) -> None:
        new = text.encode() if isinstance(text, str) else text
        self.seen[where] = self.seen.get(where, b"") + new

    def keep(self, name: str, file: Path, text: str) -> Path:
        """Write a secret to its file."""
        file.write_text(text)
        file.chmod(0o600)
        # The frame of a key's file is the same in every one.
        lines = [line for line in text.splitlines() if "-----" not in line]
        self.secrets[name] = "".join(lines).encode()
        return file


class Secretive(DaemonProcess):
    """A daemon behind TLS and a token, with a secret for everything that takes one."""

    def __init__(self, folder: Path, site: Site, story: Story, *, port: int) -> None:
        page = site.plant.issue("page")
        super().__init__(
            folder,
            f'ca_file = "{site.plant.certificate}"\ncertificate_file = "{site.client}"',
            '[[camera]]\nid = "top"\nmm_per_px_along = 1.0\nmm_per_px_across = 1.0',
            f'public_key = "{make_pair().public}"',
            mqtt_url=f"mqtts://line@127.0.0.1:{port}",
        )
        text = self.config.read_text()
        certificate = f'[http]\ncertificate_file = "{page.certificate}"'
        self.config.write_text(text.replace("[http]", certificate))
        self.command[1:3] = ["-c", EVERYTHING]
        self.password = folder / "password"
        self._token = secrets.token_urlsafe(32)
        self._trust = site.plant.certificate
        client_key = site.client.with_suffix(".key").read_text()
        contents = {
            "MQTT_PASSWORD_FILE": (self.password, f"wrong-{secrets.token_hex(8)}\n"),
            "MQTT_KEY_FILE": (folder / "mqtt-key", client_key),
            "INGEST_SECRET_KEY_FILE": (folder / "curve-key", f"{make_pair().secret}\n"),
            "HTTP_KEY_FILE": (folder / "http-key", page.key.read_text()),
            "HTTP_TOKEN_FILE": (folder / "http-token", f"{self._token}\n"),
        }
        self.environ = {"PYTHONFAULTHANDLER": "1"} | {
            f"EDGE_DAEMON_{key}": str(story.keep(key, file, text))
            for key, (file, text) in contents.items()
        }

    def get(self, path: str) -> tuple[int, str]:
        return self.ask(path, self._token)

    def ask(self, path: str, token: str) -> tuple[int, str]:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        context = ssl.create_default_context(cafile=self._trust)
        connection = http.client.HTTPSConnection(self.http, timeout=PATIENCE_S, context=context)
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, f"{answer.headers}{answer.read().decode()}"
        except OSError:
            return 0, ""
        finally:
            connection.close()


def look(daemon: Secretive, story: Story) -> None:
    """Take down what can be seen of a running daemon."""
    for path in ("/metrics", "/readyz", "/livez", "/"):
        story.note(path, daemon.get(path)[1])
        story.note(path, daemon.ask(path, "x" * 20)[1])
    for name in ("cmdline", "environ"):
        story.note(f"proc/{name}", Path(f"/proc/{daemon.pid}/{name}").read_bytes())


def knock(daemon: Secretive) -> None:
    """Come to its doors as those do who shouldn't."""
    with daemon.camera() as camera:
        camera.setsockopt(zmq.SNDTIMEO, 200)
        with suppress(zmq.Again):  # without a key nobody takes it
            camera.send_multipart(message(steel(), payload=b"too short").parts)
    host, _, port = daemon.http.rpartition(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(os.urandom(64))


def listen(broker: Broker, story: Story, mend: Callable[[], object]) -> None:
    """Follow all topics from before the daemon gets through until its first health message."""
    with Subscriber(broker) as subscriber:
        for event in subscriber.events(idle_s=PATIENCE_S):
            if isinstance(event, LinkChanged):
                assert event.connected, event.detail
                mend()
            elif isinstance(event, Received):
                story.note("topics", event.topic.encode() + b" " + event.payload + b"\n")
                if event.topic.endswith("/health"):
                    return


@pytest.fixture
def story(tmp_path: Path, mosquitto_with: Callable[..., Mosquitto]) -> Story:
    """Lead a daemon through a life in which much goes wrong."""
    story, site = Story(), Site.in_folder(tmp_path / "site")
    port = site.start(mosquitto_with).port
    daemon = Secretive(tmp_path, site, story, port=port)
    with daemon:
        look(daemon, story)
        wait_until(lambda: "Not authorized" in daemon.log.read_text())
        knock(daemon)
        checked = edge_daemon("check", "--json", "--config", daemon.config, **daemon.environ)
        story.note("check", checked.stdout + checked.stderr)
        listen(site.broker(port), story, lambda: story.keep("password", daemon.password, PASSWORD))
        look(daemon, story)
        daemon.hang_up()
        wait_until(lambda: "beginning anew" in daemon.log.read_text())
        daemon.await_ready()
        assert daemon.stop(signal.SIGABRT) == -signal.SIGABRT
    story.note("log", daemon.log.read_bytes())
    story.note("out", daemon.out.read_bytes())
    for path in daemon.state.iterdir():
        story.note(f"state/{path.name}", path.read_bytes())
    return story


def test_no_piece_of_a_secret_is_anywhere(story: Story) -> None:
    assert len(story.secrets) == 6
    assert b"Fatal Python error: Aborted" in story.seen["log"]
    assert b"DEBUG" in story.seen["log"]
    assert b"PASSWORD_FILE" in story.seen["proc/environ"]
    assert b'"subject": "broker"' in story.seen["check"]
    assert b"edge/test/status" in story.seen["topics"]
    assert b"edge_daemon_mqtt_connected 1.0" in story.seen["/metrics"]
    found = {
        (name, where): pieces
        for name, secret in story.secrets.items()
        for where, text in story.seen.items()
        if (pieces := leaks(text, secret))
    }
    assert found == {}


def test_a_piece_would_be_found_in_clear_in_base64_and_in_hex() -> None:
    secret = secrets.token_hex(16).encode()
    for form in (secret, base64.b64encode(secret), secret.hex().encode()):
        assert leaks(b"... " + form[4 : 4 + PIECE] + b" ...", secret)
    assert not leaks(b"... " + secret[: PIECE - 1] + b" ...", secret)
