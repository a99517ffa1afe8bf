"""Configuration files, variables and URLs as people get them wrong: 78, what, where, the remedy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from edge_daemon.config import load_config
from edge_daemon.delivery.broker import Broker
from edge_daemon.errors import EXIT_CONFIGURATION, ConfigurationError
from edge_daemon.settings import CameraSection, Config, MqttSection
from tests.edge_daemon.conftest import edge_daemon

NO_TOML = {
    "an open bracket": b"[ingest",
    "no value": b"[ingest]\nbind =",
    "no text": b'[ingest]\nbind = "tcp://127.0.0.1:1',
    "a section twice": b"[ingest]\n[http]\n[ingest]",
    "a key twice": b"[ingest]\nqueue_frames = 1\nqueue_frames = 2",
    "a zero byte": b"[ingest]\0",
    "a byte order mark": b"\xef\xbb\xbf[ingest]",
    "utf-16": "[ingest]".encode("utf-16"),
    "latin-1": '[mqtt]\nroot = "ü"'.encode("latin-1"),
    "5,000 brackets": b"a = " + b"[" * 5000,
    "2,000 tables deep": b"a" + b".a" * 2000 + b" = {" + b"a={" * 2000,
    "an integer of 5,000 digits": b"[ingest]\nqueue_frames = " + b"9" * 5000,
    "JSON": b'{"ingest": {}}',
    "an ini file": b"[ingest]\nbind: tcp://127.0.0.1:5555",
}
WRONG_SHAPES = (
    "ingest = 3",
    'ingest = "x"',
    "ingest = []",
    "[[ingest]]",
    "camera = {}",
    "[camera]",
    "camera = [1]",
    "camera = [[]]",
    "[mqtt.url]",
    "[mqtt]\nurl = []",
    "[http]\nbind = 1979-05-27",
    "[state]\ndirectory = 5",
    '[ingest]\nmax_age_s = "soon"',
    "[ingest.bind]\nx = 1",
    "[daemon]",
    "[ingest]\nport = 5555",
    '"" = 1',
)
EXTREMES = (
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e308",
    "5e-324",
    str(2**63),
    "9" * 401,
    "[]",
    "{}",
    '""',
)
DURATIONS = ("_age_s", "_silent_s", "_every_s", "before_s", "after_s")
CAMERA = 'id = "a"\nmm_per_px_along = 0.5\nmm_per_px_across = 0.5\n'


def complaint_of(folder: Path, content: bytes, environ: dict[str, str] | None = None) -> str:
    path = folder / "config.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path, environ or {})
    assert caught.value.exit_code == EXIT_CONFIGURATION
    return str(caught.value)


@pytest.mark.parametrize("kind", NO_TOML)
def test_what_is_no_toml_is_refused_with_the_file_and_in_few_words(
    kind: str, tmp_path: Path
) -> None:
    complaint = complaint_of(tmp_path, NO_TOML[kind])
    assert complaint.startswith(str(tmp_path / "config.toml"))
    assert len(complaint) < 600


@pytest.mark.parametrize("text", WRONG_SHAPES)
def test_what_is_no_such_section_or_key_is_named(text: str, tmp_path: Path) -> None:
    complaint = complaint_of(tmp_path, text.encode())
    assert complaint.startswith(str(tmp_path / "config.toml"))
    assert "Traceback" not in complaint


def keys() -> Iterator[tuple[str, str]]:
    """Every key of every section; of a camera, by the name of its section."""
    for section, field in Config.model_fields.items():
        model: Any = CameraSection if section == "camera" else field.annotation
        assert issubclass(model, BaseModel)
        yield from ((section, key) for key in model.model_fields)


@pytest.mark.parametrize(("section", "key"), list(keys()))
def test_an_extreme_value_is_refused_by_its_key_or_can_be_used(
    section: str, key: str, tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    for value in EXTREMES:
        head = f"[[camera]]\n{without(CAMERA, key)}" if section == "camera" else f"[{section}]\n"
        path.write_text(f"{head}{key} = {value}\n")
        try:
            config = load_config(path, {})
        except ConfigurationError as error:
            assert f"{key}" in str(error), value  # noqa: PT017 - to be used is right, too
        else:
            for seconds in durations(config):
                assert int(seconds * 1e9) >= 0, value  # as the daemon counts them


def without(text: str, key: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(key))


def durations(config: Config) -> Iterator[float]:
    for section in (config.ingest, config.bundle, config.alarms, config.evidence):
        values = section.model_dump()
        yield from (value for key, value in values.items() if key.endswith(DURATIONS))


@pytest.mark.parametrize(
    "variable",
    [
        "EDGE_DAEMON_INGEST_BIND=nowhere",
        "EDGE_DAEMON_INGEST_QUEUE_FRAMES=many",
        "EDGE_DAEMON_INGEST_QUEUE_FRAMES=",
        "EDGE_DAEMON_INGEST_MAX_AGE_S=nan",
        "EDGE_DAEMON_INGEST_MAX_AGE_S=1e999",
        "EDGE_DAEMON_INGEST_QUEUE_FRAMES=" + "9" * 5000,
        "EDGE_DAEMON_INGEST_PORT=5555",
        "EDGE_DAEMON_CAMERA_ID=top-1",
        "EDGE_DAEMON_MQTT_URL=mqtt://user:secret@host",
        "EDGE_DAEMON_MQTT_ROOT=\udcff",
        "EDGE_DAEMON_HTTP_BIND=:",
    ],
)
def test_a_wrong_variable_is_named_and_no_secret_is_repeated(variable: str, tmp_path: Path) -> None:
    name, _, value = variable.partition("=")
    complaint = complaint_of(tmp_path, b"", {name: value})
    assert name in complaint
    assert "secret" not in complaint


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "missing", tmp_path / "loop", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigurationError, match="can't be read"):
            load_config(path, {})


def test_a_file_without_end_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="larger than"):
        load_config(Path("/dev/zero"), {})


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_wrong_configuration_ends_a_verb_with_78_in_one_line(verb: str, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_bytes(NO_TOML["5,000 brackets"])
    done = edge_daemon(verb, "--config", config)
    assert done.returncode == EXIT_CONFIGURATION
    said = done.stdout + done.stderr
    assert str(config) in said.replace("\n", "")
    assert "Traceback" not in said


WRONG_URLS = (
    *("h", "h:1883", "mqtt:h", "mqtt://", "mqtt://:1883", "mqtt://h:-1", "mqtt://h:65536"),
    *(
        "mqtt://h:" + "9" * 5000,
        "mqtt://h:1883/topic",
        "mqtt://h:1883//",
        "mqtt://[::1",
        "mqtt://[h]",
    ),
    *(
        "http://h",
        "tcp://h:1883",
        "ws://h",
        "mqtt://user:secret@h",
        "mqtt://h?x=1",
        "mqtt://" + "x" * 300,
    ),
    *("mqtt://h:0", "mqtt://h h", "mqtt://h\n", "mqtt://h#x", "mqtt://h:", "mqtt://h:\u0661\u0662"),
)


@pytest.mark.parametrize("url", WRONG_URLS, ids=range(len(WRONG_URLS)))
def test_a_wrong_url_is_refused_from_the_command_line_too(url: str) -> None:
    unchecked = MqttSection().model_copy(update={"url": url})
    with pytest.raises(ConfigurationError) as caught:
        Broker.from_config(unchecked)
    assert "secret" not in str(caught.value)
    assert "MQTT URL" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("mqtt://h", "h", 1883),
        ("mqtts://h/", "h", 8883),
        ("mqtt://user@h:1", "h", 1),
        ("mqtt://[::1]", "::1", 1883),
        ("mqtts://[::1]:65535/", "::1", 65535),
    ],
)
def test_a_right_url_is_taken(url: str, host: str, port: int) -> None:
    broker = Broker.from_config(MqttSection(url=url))
    assert broker is not None
    assert (broker.host, broker.port) == (host, port)
