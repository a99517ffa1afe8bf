from pathlib import Path

import pytest

from edge_daemon.delivery.broker import Broker
from edge_daemon.errors import ConfigurationError


def test_a_url_gives_host_port_user_and_whether_it_is_encrypted() -> None:
    broker = Broker.from_url("mqtts://line%201@scada.example:8884", "edge/line-1")
    assert (broker.host, broker.port, broker.tls) == ("scada.example", 8884, True)
    assert broker.username == "line 1"
    assert broker.client_id == "edge-daemon-edge/line-1"


@pytest.mark.parametrize(("scheme", "port"), [("mqtt", 1883), ("mqtts", 8883)])
def test_each_scheme_has_its_own_port(scheme: str, port: int) -> None:
    assert Broker.from_url(f"{scheme}://broker", "r").port == port


@pytest.mark.parametrize(
    "url",
    [
        "http://broker",
        "mqtt://",
        "broker:1883",
        "mqtt://broker:70000",
        "mqtt://broker/path",
        "mqtt://broker?a=b",
        "mqtt://broker#a",
        "mqtt://broker:0",
        "mqtt://broker:",
        "mqtt://broker:/",
        "mqtt://bro ker",
        "mqtt://broker\n",
        "mqtt://a..b",
        f"mqtt://{'a' * 70}.example",
    ],
)
def test_a_url_that_no_socket_could_use_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Broker.from_url(url, "edge/line-1")


@pytest.mark.parametrize("password", ["geheim", "ge/heim", "ge:heim", "ge@heim", "?heim"])
def test_a_password_in_the_url_is_refused_and_not_repeated(password: str) -> None:
    with pytest.raises(ConfigurationError, match="password_file") as caught:
        Broker.from_url(f"mqtt://user:{password}@broker", "edge/line-1")
    assert "heim" not in str(caught.value)


@pytest.mark.parametrize("root", ["", "/edge", "edge/", "edge//line", "edge/+", "edge/#", "ä"])
def test_a_root_that_breaks_topics_is_refused(root: str) -> None:
    with pytest.raises(ConfigurationError, match="root"):
        Broker.from_url("mqtt://broker", root)


def test_files_that_belong_together_are_asked_for_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="needs a user"):
        Broker.from_url("mqtt://broker", "r", password_file=tmp_path)
    with pytest.raises(ConfigurationError, match="come together"):
        Broker.from_url("mqtts://broker", "r", cert_file=tmp_path)
    with pytest.raises(ConfigurationError, match="mqtts"):
        Broker.from_url("mqtt://broker", "r", ca_file=tmp_path)


def test_the_password_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("first\n")
    broker = Broker.from_url("mqtt://user@broker", "r", password_file=file)
    assert broker.password() == "first"
    file.write_text("second")
    assert broker.password() == "second"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfegeheim"])
def test_a_password_file_that_holds_none_is_named_and_not_repeated(
    tmp_path: Path, content: bytes
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    broker = Broker.from_url("mqtt://user@broker", "r", password_file=file)
    with pytest.raises(ConfigurationError, match=r"\[mqtt\] password_file = ") as caught:
        broker.password()
    assert "geheim" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("mqtt://line@broker", True),
        ("mqtt://line@10.0.0.1", True),
        ("mqtts://line@broker", False),
        ("mqtt://line@localhost", False),
        ("mqtt://line@127.0.0.2", False),
        ("mqtt://line@[::1]", False),
    ],
)
def test_a_password_in_clear_beyond_this_computer_is_warned_of(
    tmp_path: Path, url: str, *, warned: bool
) -> None:
    broker = Broker.from_url(url, "r", password_file=tmp_path / "password")
    assert [text for text in broker.warnings if "mqtts://" in text] == list(broker.warnings)
    assert bool(broker.warnings) == warned


def test_without_a_password_there_is_nothing_to_warn_of() -> None:
    assert Broker.from_url("mqtt://line@broker", "r").warnings == ()
