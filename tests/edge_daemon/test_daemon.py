import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
from jsonschema import Draft7Validator

from edge_daemon.clock import SystemClock
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.daemon import Daemon
from edge_daemon.delivery.broker import Broker
from edge_daemon.engine import shipped_bundle
from edge_daemon.errors import ConfigurationError, StoreError
from edge_daemon.schemas import load
from edge_daemon.settings import Config, HttpSection, IngestSection, MqttSection, StateSection
from edge_daemon.signals import Orders, follow_orders
from tests.conftest import free_port, wait_until
from tests.edge_daemon.conftest import DaemonProcess, edge_daemon
from tests.edge_daemon.service_manager import ServiceManager

pytestmark = pytest.mark.timeout(300)  # for a busy computer
PIPE_BYTES = 4096
WATCHDOG_US = 1_000_000


class Pipe:
    """A pipe with little room, which nobody reads until it is told to."""

    def __init__(self) -> None:
        self._read, self.write = os.pipe()
        fcntl.fcntl(self.write, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._drain)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.write)
        if self._thread.ident is None:
            self._thread.start()
        self._thread.join()

    def drain(self) -> None:
        self._thread.start()

    def _drain(self) -> None:
        with os.fdopen(self._read, encoding="utf-8") as stream:
            self.lines += stream


def damaged(seq: int) -> list[Any]:
    """A frame that costs nothing to refuse, behind a gap of one row: two stretches to tell of."""
    header = FrameHeader(
        v=1,
        stream="s",
        seq=2 * seq,
        t_ns=seq,
        width=8,
        height=1,
        format=PixelFormat.MONO8,
        codec=Codec.RAW,
    )
    return encode("top-1", header, b"too short")


@dataclass(frozen=True)
class Stall:
    """What was seen of a daemon without a broker whose output nobody took for a while."""

    told: list[str]
    fed_while_stalled: list[str]
    stalled: dict[str, tuple[int, dict[str, Any]]]
    recovered: dict[str, tuple[int, dict[str, Any]]]
    rival: subprocess.CompletedProcess[str]
    lines: list[str]
    exit_code: int


@pytest.fixture(scope="module")
def stall(tmp_path_factory: pytest.TempPathFactory) -> Stall:
    folder = tmp_path_factory.mktemp("stall")
    daemon, rival = DaemonProcess(folder), DaemonProcess(tmp_path_factory.mktemp("rival"))
    same_state = {"EDGE_DAEMON_STATE_DIRECTORY": str(daemon.state)}
    with ServiceManager(folder / "notify") as manager, Pipe() as pipe:
        daemon.stdout = pipe.write
        daemon.environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": str(WATCHDOG_US)}
        with daemon, daemon.camera() as camera:
            wait_until(lambda: manager.told.count("WATCHDOG=1") > 1)
            for seq in range(1, 20):
                camera.send_multipart(damaged(seq))
            refused = edge_daemon("run", "--config", rival.config, **same_state)
            wait_until(lambda: daemon.get("/livez")[0] != HTTPStatus.OK)
            stalled = pages(daemon)
            before = len(manager.told)
            wait_until(lambda: daemon.log.read_text().count("stalled: ") > 3)
            fed = manager.told[before:]
            pipe.drain()
            wait_until(lambda: daemon.get("/livez")[0] == HTTPStatus.OK)
            recovered = pages(daemon)
            fed_before = manager.told.count("WATCHDOG=1")
            wait_until(lambda: manager.told.count("WATCHDOG=1") > fed_before)
            exit_code = daemon.stop()
            wait_until(lambda: manager.told[-1] == "STOPPING=1")
    return Stall(manager.told, fed, stalled, recovered, refused, pipe.lines, exit_code)


def pages(daemon: DaemonProcess) -> dict[str, tuple[int, dict[str, Any]]]:
    answers = {page: daemon.get(page) for page in ("/livez", "/readyz")}
    return {page: (status, json.loads(text)) for page, (status, text) in answers.items()}


def test_the_service_manager_is_told_when_it_is_ready_and_when_it_stops(stall: Stall) -> None:
    (ready,) = [place for place, text in enumerate(stall.told) if text.startswith("READY=1\n")]
    assert all(text.startswith("STATUS=") for text in stall.told[:ready])
    assert set(stall.told[ready + 1 :]) == {"WATCHDOG=1", "STOPPING=1"}
    assert stall.told[-1] == "STOPPING=1"


def test_the_watchdog_starves_while_a_worker_stands_still(stall: Stall) -> None:
    assert stall.fed_while_stalled == []


def test_the_pages_name_the_worker_that_stands_still_until_it_goes_on(stall: Stall) -> None:
    for status, answer in stall.stalled.values():
        assert status == HTTPStatus.SERVICE_UNAVAILABLE
        assert set(answer["reasons"]) == {"courier"}
        assert "no sign of life" in answer["reasons"]["courier"]
    for status, answer in stall.recovered.values():
        assert (status, answer["reasons"]) == (HTTPStatus.OK, {})


def test_without_a_broker_alerts_are_printed_as_topic_and_json(stall: Stall) -> None:
    numbers = []
    for line in stall.lines:
        topic, _, text = line.partition(" ")
        message = json.loads(text)
        kind = message["schema"].split("/")[1]
        assert topic in {f"event/{kind}", f"alarm/{message.get('name')}"}
        Draft7Validator(load(f"{kind}.v1.json")).validate(message)
        numbers.append(message["seq"])
    assert numbers == list(range(1, len(numbers) + 1))
    assert sum(line.startswith("event/coverage ") for line in stall.lines) >= 2 * 18


def test_after_a_stall_it_still_ends_in_order(stall: Stall) -> None:
    assert stall.exit_code == 0


def test_a_second_daemon_on_the_same_state_is_refused_and_disturbs_nobody(stall: Stall) -> None:
    assert stall.rival.returncode == 1
    assert "outbox.sqlite3" in stall.rival.stderr
    assert "another program has it open" in stall.rival.stderr
    assert "Traceback" not in stall.rival.stderr


def complaint_of(*arguments: str | Path, code: int) -> str:
    """The one line that a command leaves with."""
    done = edge_daemon(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("edge-daemon: ")
    return last


def test_a_wrong_configuration_ends_it_with_78_and_the_line(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, "[bundle]", "threds = 2")
    line = len(daemon.config.read_text().splitlines())
    complaint = complaint_of("run", "--config", daemon.config, code=78)
    assert f"config.toml, line {line}: bundle.threds: unknown key; known here: path" in complaint


@pytest.mark.parametrize("section", ["http", "ingest"])
def test_a_port_that_is_taken_ends_it_with_1_the_key_and_the_remedy(
    tmp_path: Path, section: str
) -> None:
    daemon = DaemonProcess(tmp_path)
    address = {"http": daemon.http, "ingest": daemon.frames.removeprefix("tcp://")}[section]
    with socket.create_server(("127.0.0.1", int(address.rpartition(":")[2]))):
        complaint = complaint_of("run", "--config", daemon.config, code=1)
    assert f"[{section}] bind" in complaint
    assert address in complaint
    assert "stop " in complaint


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped_bundle(), tmp_path / "bundle"))


def test_a_damaged_bundle_ends_it_with_78_and_the_file(tmp_path: Path, bundle: Path) -> None:
    network = bundle / "model.onnx"
    content = bytearray(network.read_bytes())
    content[len(content) // 2] ^= 1
    network.write_bytes(content)
    daemon = DaemonProcess(tmp_path, "[bundle]", f'path = "{bundle}"')
    assert "model.onnx" in complaint_of("run", "--config", daemon.config, code=78)


def test_a_network_that_does_not_give_its_known_answer_ends_it_with_70(
    tmp_path: Path, bundle: Path
) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    answer = bundle / manifest["known_answer"]["file"]
    with np.load(answer) as arrays:
        strip, expected = arrays["strip"], arrays["probability"]
    np.savez(answer, strip=strip, probability=1 - expected)
    manifest["files"][answer.name] = sha256(answer.read_bytes()).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(manifest))
    daemon = DaemonProcess(tmp_path, "[bundle]", f'path = "{bundle}"')
    assert "known answer" in complaint_of("run", "--config", daemon.config, code=70)


def config_in(folder: Path, *, state: Path | None = None) -> Config:
    return Config(
        ingest=IngestSection(bind="tcp://127.0.0.1:*"),
        http=HttpSection(bind=f"127.0.0.1:{free_port()}"),
        state=StateSection(directory=state or folder / "state"),
    )


def test_a_state_folder_that_cannot_be_made_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    config = config_in(tmp_path, state=tmp_path / "file" / "state")
    with pytest.raises(StoreError, match=r"file/state: can't be made .* \[state\] directory"):
        Daemon(config, SystemClock(), environ={}, orders=Orders()).run()


@contextmanager
def interrupted_when_listening(config: Config) -> Iterator[None]:
    """Send this process a SIGINT as soon as the pages are there."""

    def interrupt() -> None:
        address = ("127.0.0.1", int(config.http.bind.rpartition(":")[2]))

        def listens() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(address) == 0

        wait_until(listens)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def test_an_interrupt_ends_it_with_0_and_the_handlers_from_before_are_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    config = config_in(tmp_path)
    with interrupted_when_listening(config), follow_orders() as orders:
        assert Daemon(config, SystemClock(), environ={}, orders=orders).run().code == 0
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"courier", "receiver", "inspector", "http"}


def test_without_a_url_there_is_no_broker() -> None:
    assert Broker.from_config(MqttSection()) is None


def test_the_broker_gets_what_the_section_says(tmp_path: Path) -> None:
    section = MqttSection(
        url="mqtts://line@broker:8884", root="plant/l2", password_file=tmp_path, ca_file=tmp_path
    )
    broker = Broker.from_config(section)
    assert broker is not None
    assert (broker.host, broker.port, broker.tls, broker.root) == ("broker", 8884, True, "plant/l2")
    assert (broker.username, broker.password_file, broker.ca_file) == ("line", tmp_path, tmp_path)


def test_a_password_for_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a password needs a user"):
        Broker.from_config(MqttSection(url="mqtt://broker", password_file=tmp_path))
