import gc
import shutil
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.mqtt import Acknowledged, Closed, Connected, Link
from edge_daemon.delivery.outgoing import Outgoing
from tests.conftest import Mosquitto, free_port, wait_until
from tests.faults.fake_broker import FakeBroker

WILL = Outgoing("edge/test/status", b"{}", retain=True)
PATIENCE_S = 20


def broker(port: int, host: str = "127.0.0.1") -> Broker:
    return Broker(host=host, port=port, tls=False, root="edge/test")


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    """Do for links what their owner does: let go of paho's client, which closes its sockets."""
    yield
    for thread in threading.enumerate():
        if thread.name.startswith("paho"):
            thread.join(PATIENCE_S)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.mark.parametrize("host", ["a" * 70, "a..b", "", "256.256.256.256", "no-such-host.invalid"])
def test_a_host_that_cannot_be_reached_ends_the_link_with_a_reason(host: str) -> None:
    inbox: SimpleQueue[Any] = SimpleQueue()
    Link(broker(1883, host), WILL, inbox).open()
    closed = inbox.get(timeout=PATIENCE_S)
    assert isinstance(closed, Closed)
    assert closed.reason != "closed by us"


def test_a_closed_port_ends_the_link_with_a_reason() -> None:
    inbox: SimpleQueue[Any] = SimpleQueue()
    Link(broker(free_port()), WILL, inbox).open()
    closed = inbox.get(timeout=PATIENCE_S)
    assert "refused" in closed.reason


def test_a_password_file_that_is_missing_ends_the_link_with_a_reason(
    fake_broker: FakeBroker, tmp_path: Path
) -> None:
    inbox: SimpleQueue[Any] = SimpleQueue()
    missing = Broker.from_url(
        f"mqtt://u@127.0.0.1:{fake_broker.port}", "r", password_file=tmp_path / "none"
    )
    Link(missing, WILL, inbox).open()
    assert "none" in inbox.get(timeout=PATIENCE_S).reason
    assert fake_broker.connections == 0


@pytest.mark.broker
def test_what_was_refused_at_the_door_is_told_with_its_code(
    mosquitto_with: Callable[..., Mosquitto],
) -> None:
    shut = mosquitto_with("allow_anonymous false")
    inbox: SimpleQueue[Any] = SimpleQueue()
    Link(broker(shut.port), WILL, inbox).open()
    closed = inbox.get(timeout=PATIENCE_S)
    assert closed.code == 0x87
    assert "Not authorized" in closed.reason


@pytest.mark.broker
def test_an_exception_in_a_callback_does_not_end_the_link(mosquitto: Mosquitto) -> None:
    class Choking(SimpleQueue[object]):
        choke = True

        def put(self, item: object, *_: object) -> None:
            if isinstance(item, Acknowledged) and self.choke:
                self.choke = False
                raise RuntimeError
            super().put(item)

    inbox = Choking()
    link = Link(broker(mosquitto.port), WILL, inbox)
    link.open()
    assert isinstance(inbox.get(timeout=PATIENCE_S), Connected)
    link.publish(Outgoing("edge/test/event/x", b"{}"))
    second = link.publish(Outgoing("edge/test/event/x", b"{}"))
    acknowledged = inbox.get(timeout=PATIENCE_S)
    assert isinstance(acknowledged, Acknowledged)
    assert (acknowledged.mid, acknowledged.code) == (second, 0x10)
    link.close(with_will=False)
    assert isinstance(inbox.get(timeout=PATIENCE_S), Closed)


def test_an_abort_ends_a_link_whose_peer_says_nothing(fake_broker: FakeBroker) -> None:
    fake_broker.answer = lambda _: b""
    inbox: SimpleQueue[Any] = SimpleQueue()
    link = Link(broker(fake_broker.port), WILL, inbox)
    link.open()
    assert isinstance(inbox.get(timeout=PATIENCE_S), Connected)
    link.publish(Outgoing("edge/test/event/x", b"{}"))
    wait_until(lambda: len(fake_broker.published) == 1)
    link.abort("enough")
    closed = inbox.get(timeout=PATIENCE_S)
    assert closed.reason == "enough"
    assert fake_broker.goodbyes == []


def test_a_link_aborted_before_it_connected_never_gets_through(fake_broker: FakeBroker) -> None:
    inbox: SimpleQueue[Any] = SimpleQueue()
    link = Link(broker(fake_broker.port), WILL, inbox)
    link.abort("too late")
    link.open()
    assert isinstance(inbox.get(timeout=PATIENCE_S), Closed)
    assert inbox.empty()


def test_publishing_on_a_link_never_opened_is_an_error() -> None:
    with pytest.raises(ValueError, match="never opened"):
        Link(broker(1), WILL, SimpleQueue()).publish(WILL)


@pytest.mark.broker
def test_the_password_of_the_file_opens_the_door(
    mosquitto_with: Callable[..., Mosquitto], tmp_path: Path
) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    users = tmp_path / "users"
    subprocess.run([tool, "-b", "-c", users, "line", "geheim"], check=True, capture_output=True)
    guarded = mosquitto_with("allow_anonymous false", f"password_file {users}")
    secret = tmp_path / "secret"
    secret.write_text("geheim\n")
    url = guarded.url.replace("127", "line@127")
    inbox: SimpleQueue[Any] = SimpleQueue()
    link = Link(Broker.from_url(url, "r", password_file=secret), WILL, inbox)
    link.open()
    assert isinstance(inbox.get(timeout=PATIENCE_S), Connected)
    link.close(with_will=False)
    assert isinstance(inbox.get(timeout=PATIENCE_S), Closed)
