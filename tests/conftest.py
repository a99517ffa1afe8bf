"""What several test modules need: a real mosquitto, and a subscriber that remembers everything."""

import contextlib
import getpass
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE_S = 20.0


def wait_until(reached: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    """Return when something has come to pass; fail where it doesn't."""
    deadline_s = time.monotonic() + within_s
    while not reached():
        assert time.monotonic() < deadline_s, "waited in vain"
        time.sleep(0.01)


def free_port() -> int:
    """A port that nobody listens on, of this test process's own thousand.

    Those that the kernel gives away would be taken by somebody's connection before a daemon that is
    told of one has started.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 20
    while True:
        port = 10_000 + 1000 * number + secrets.randbelow(1000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class Mosquitto:
    """A broker of our own on a free port, which keeps the port over restarts.

    `settings` are lines of mosquitto.conf, `acl` the text of an ACL file.
    """

    def __init__(self, folder: Path, *settings: str, acl: str | None = None) -> None:
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._folder = folder
        self._settings = list(settings)
        self._process: subprocess.Popen[bytes] | None = None
        if acl is not None:
            self.write_acl(acl)
            self._settings.append(f"acl_file {self._acl_file}")

    @property
    def _acl_file(self) -> Path:
        return self._folder / "acl"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def write_acl(self, acl: str) -> None:
        self._acl_file.write_text(acl)
        self._acl_file.chmod(0o600)

    def start(self) -> None:
        config = self._folder / "mosquitto.conf"
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true"]
        lines += [f"user {getpass.getuser()}", *self._settings]
        config.write_text("\n".join(lines) + "\n")
        program = shutil.which(
            "mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin"
        )
        assert program is not None
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-v", "-c", str(config)], stderr=log, stdout=log
            )
        wait_until(self._answers)

    def stop(self) -> None:
        self._end(hard=False)

    def kill(self) -> None:
        self._end(hard=True)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def reload(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    def _end(self, *, hard: bool) -> None:
        if self._process is not None:
            if hard:
                self._process.kill()
            else:
                self._process.terminate()
            self._process.wait(PATIENCE_S)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


class Recorder:
    """A subscriber with a durable session that keeps (topic, message) of all that comes in."""

    def __init__(self, port: int, topics: str) -> None:
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.retained: list[tuple[str, dict[str, Any]]] = []
        self._subscribed = threading.Event()
        self._topics = topics
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id="recorder",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.on_connect = lambda client, *_: client.subscribe(self._topics, qos=1)
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho
        properties.SessionExpiryInterval = 3600
        self._client.connect_async("127.0.0.1", port, clean_start=False, properties=properties)

    def __enter__(self) -> Self:
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def on(self, topic: str) -> list[dict[str, Any]]:
        return [message for came_on, message in list(self.messages) if came_on == topic]

    def durable(self) -> list[dict[str, Any]]:
        return [m for topic, m in list(self.messages) if "/event/" in topic or "/alarm/" in topic]

    def wait_for(self, count: int) -> None:
        """Return when so many different messages have come that count in the sequence."""
        wait_until(lambda: len({m["id"] for m in self.durable()}) >= count)

    def _on_message(self, _client: paho.Client, _userdata: object, got: paho.MQTTMessage) -> None:
        kept = self.retained if got.retain else self.messages
        kept.append((got.topic, json.loads(got.payload)))


class Publisher:
    """Publishes what it is given, once, to whoever listens."""

    def __init__(self, port: int) -> None:
        self._client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.connect_async("127.0.0.1", port)

    def __enter__(self) -> Self:
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes) -> None:
        self._client.publish(topic, payload)


@pytest.fixture
def mosquitto_with(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """Start a mosquitto with further lines of configuration, and perhaps an ACL."""
    if shutil.which("mosquitto", path="/usr/local/sbin:/usr/sbin:/usr/local/bin:/usr/bin") is None:
        pytest.skip("mosquitto is not installed")
    with ExitStack() as stack:

        def start(*settings: str, acl: str | None = None) -> Mosquitto:
            folder = tmp_path / "mosquitto"
            folder.mkdir()
            return stack.enter_context(Mosquitto(folder, *settings, acl=acl))

        yield start


@pytest.fixture
def mosquitto(mosquitto_with: Callable[..., Mosquitto]) -> Mosquitto:
    """Start a mosquitto that lets everybody do everything."""
    return mosquitto_with()


@pytest.fixture
def recorder(mosquitto: Mosquitto) -> Iterator[Recorder]:
    """Record everything below `edge/test` on the plain mosquitto."""
    with Recorder(mosquitto.port, "edge/test/#") as recorder:
        yield recorder


@pytest.fixture
def publisher(mosquitto: Mosquitto) -> Iterator[Publisher]:
    """Connect somebody else to the plain mosquitto."""
    with Publisher(mosquitto.port) as publisher:
        yield publisher
