import os
import stat
from pathlib import Path

import pytest

from edge_daemon.config import DEFAULT_PATH, load_config, state_directory
from edge_daemon.core.placement import Scale
from edge_daemon.errors import ConfigurationError
from edge_daemon.settings import Config

EXAMPLE = Path(__file__).parents[2] / "systemd" / "config.toml"
CONTRACT = """\
[ingest]
bind = "tcp://127.0.0.1:5555"
[[camera]]
id = "top-1"
mm_per_px_along = 0.5
mm_per_px_across = 0.5
across_offset_mm = 0.0
[bundle]
path = "bundles/mine"
device = "auto"
[mqtt]
url = "mqtt://127.0.0.1:1883"
root = "edge/line-1"
[http]
bind = "127.0.0.1:9108"
[state]
directory = "/var/lib/edge-daemon"
"""
TWO_CAMERAS = """\
# the second one is wrong
[[camera]]
id = "top-1"
mm_per_px_along = 0.5
mm_per_px_across = 0.5

[[camera]]
id = "bottom-1"
mm_per_px_along = 0.5
mm_per_px_across = "wide"
[[camera]]
id = "edge-1"
mm_per_px_along = 0.5
mm_per_px_across = 0.5
"""


def load(folder: Path, text: str, environ: dict[str, str] | None = None) -> Config:
    path = folder / "config.toml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, environ or {})


def complaint(folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, environ)
    return str(caught.value)


@pytest.mark.skipif(DEFAULT_PATH.exists(), reason=f"{DEFAULT_PATH} is there")
def test_without_a_file_the_defaults_are_in_force() -> None:
    config = load_config(None, {})
    assert config == Config()
    assert config.endpoints == ("tcp://127.0.0.1:5555",)
    assert config.http.bind == "127.0.0.1:9108"
    assert config.mqtt.url is None
    assert config.bundle.path is None
    assert config.scales == {}


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, "") == Config()


def test_every_key_of_the_contract_is_accepted(tmp_path: Path) -> None:
    config = load(tmp_path, CONTRACT)
    assert config.scales == {"top-1": Scale(0.5, 0.5, 0.0)}
    assert config.bundle.path == Path("bundles/mine")
    assert config.mqtt.url == "mqtt://127.0.0.1:1883"
    assert config.state.directory == Path("/var/lib/edge-daemon")


def test_the_installed_example_changes_nothing_as_it_stands() -> None:
    assert load_config(EXAMPLE, {}) == Config()


def test_cameras_with_endpoints_of_their_own_are_bound_once_each(tmp_path: Path) -> None:
    camera = '[[camera]]\nid = "{}"\nmm_per_px_along = 1\nmm_per_px_across = 1\nbind = "{}"\n'
    text = camera.format("a", "ipc:///tmp/a") + camera.format("b", "ipc:///tmp/a")
    assert load(tmp_path, text).endpoints == ("tcp://127.0.0.1:5555", "ipc:///tmp/a")


def test_an_unknown_key_is_refused_with_its_line_and_the_keys_that_are_known(
    tmp_path: Path,
) -> None:
    message = complaint(tmp_path, '[mqtt]\nroot = "a"\nulr = "mqtt://h"\n')
    assert "config.toml, line 3: mqtt.ulr: unknown key; known here: url, root" in message


def test_an_unknown_key_of_a_camera_names_the_keys_of_a_camera(tmp_path: Path) -> None:
    message = complaint(tmp_path, TWO_CAMERAS.replace('"wide"', "0.5\nmm_per_pixel = 2"))
    assert "line 11: camera.1.mm_per_pixel: unknown key; known here: id, mm_per_px_along" in message


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[ingets]\nqueue_frames = 3\n", 1),
        ("\nfoo = 1\n", 2),
        ("[ingest.deep]\nx = 1\n", 1),
        ("[ingest]\n[deep]\nx = 1\n", 2),
    ],
)
def test_an_unknown_section_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    assert f"config.toml, line {line}: " in complaint(tmp_path, text)


def test_a_wrong_type_in_the_second_camera_is_named_with_that_line(tmp_path: Path) -> None:
    message = complaint(tmp_path, TWO_CAMERAS)
    assert "line 10: camera.1.mm_per_px_across: " in message
    assert "number, got 'wide'" in message


def test_a_key_missing_in_the_second_camera_is_named_with_the_line_of_its_section(
    tmp_path: Path,
) -> None:
    message = complaint(tmp_path, TWO_CAMERAS.replace('mm_per_px_across = "wide"', ""))
    assert "line 7: camera.1.mm_per_px_across: Field required" in message


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("[ingest]\nqueue_frames = 0\n", 2, "greater than or equal to 1, got 0"),
        ("[ingest]\nqueue_frames = 2.5\n", 2, "valid integer"),
        ("[ingest]\nmax_age_s = inf\n", 2, "finite number"),
        ("[ingest]\nmax_age_s = -1\n", 2, "greater than 0"),
        ("\n[ingest]\nbind = '127.0.0.1:5555'\n", 3, "tcp://ADDRESS:PORT or ipc://PATH"),
        ("[ingest]\nbind = 'tcp://127.0.0.1:65536'\n", 2, "a port is 65535 at most"),
        ("[http]\nbind = '127.0.0.1:70000'\n", 2, "a port is 65535 at most"),
        ("[http]\nbind = '9108'\n", 2, "ADDRESS:PORT"),
        ("[mqtt]\nurl = 'mqtt://broker:99999'\n", 2, "a port is 65535 at most"),
        ("[mqtt]\nurl = 'http://broker'\n", 2, "mqtt://HOST:PORT"),
        ("[mqtt]\nroot = 'edge/+/x'\n", 2, "topic levels"),
        ("[mqtt]\nroot = '/edge'\n", 2, "topic levels"),
        ("[bundle]\ndevice = 'gpu'\n", 2, "'auto', 'cpu' or 'cuda'"),
        ("[bundle] # the network\npath = 3\n", 2, "path"),
        ("mqtt.url = 3\n", 1, "string"),
        ("\nmqtt = 3\n", 2, "dictionary"),
        ("http = { bind = 3 }\n", 1, "string"),
        ("ingest = [1]\n", 1, "dictionary"),
        ("camera = [\n{ id = 'a' },\n]\n", 1, "Field required"),
        ("[[camera]]\nid='a b'\nmm_per_px_along=1\nmm_per_px_across=1\n", 2, "pattern"),
    ],
)
def test_what_breaks_a_rule_is_named_with_its_line_and_what_was_expected(
    tmp_path: Path, text: str, line: int, expected: str
) -> None:
    message = complaint(tmp_path, text)
    assert f"config.toml, line {line}: " in message
    assert expected in message


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[ingest]\nqueue_frames = 0\n[http]\nbind = 1\nport = 2\n")
    assert [line.split(": ")[0].rpartition(" ")[2] for line in message.splitlines()] == [
        "2",
        "4",
        "5",
    ]


def test_bad_toml_is_refused_with_the_parsers_line(tmp_path: Path) -> None:
    assert "is no valid TOML" in complaint(tmp_path, "[mqtt]\nurl = mqtt\n")
    assert "line 2" in complaint(tmp_path, "[mqtt]\nurl = mqtt\n")


def test_a_file_that_is_no_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"# Stra\xdfe\n")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        load_config(path, {})


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: can't be read.*--config"):
        load_config(tmp_path / "nowhere.toml", {})


def test_two_cameras_of_one_name_are_refused_with_the_line_of_the_second(tmp_path: Path) -> None:
    text = TWO_CAMERAS.replace('"wide"', "0.5").replace("edge-1", "top-1")
    message = complaint(tmp_path, text)
    assert "line 12: camera.2.id: 'top-1' is there twice" in message


@pytest.mark.parametrize("user", ["line:hunter2", ":hunter2", "line:hun/ter2", "line:hun@ter2"])
def test_a_password_in_the_url_is_refused_and_not_repeated(tmp_path: Path, user: str) -> None:
    message = complaint(tmp_path, f"[mqtt]\nurl = 'mqtts://{user}@broker:8883'\n")
    assert "line 2: mqtt.url: must not hold a password" in message
    assert "password_file" in message
    assert "hun" not in message


def test_a_user_without_a_password_is_accepted(tmp_path: Path) -> None:
    assert load(tmp_path, "[mqtt]\nurl = 'mqtts://line@broker:8883'\n").mqtt.url is not None


def test_the_environment_comes_before_the_file(tmp_path: Path) -> None:
    environ = {
        "EDGE_DAEMON_MQTT_URL": "mqtt://other:1",
        "EDGE_DAEMON_INGEST_QUEUE_FRAMES": "3",
        "EDGE_DAEMON_BUNDLE_KNOWN_ANSWER_EVERY_S": "2.5",
        "EDGE_DAEMON_STATE_DIRECTORY": "/elsewhere",
        "EDGE_DAEMON_DATA": "none of ours",
    }
    config = load(tmp_path, CONTRACT, environ)
    assert config.mqtt.url == "mqtt://other:1"
    assert config.mqtt.root == "edge/line-1"
    assert config.ingest.queue_frames == 3
    assert config.bundle.known_answer_every_s == 2.5
    assert config.state.directory == Path("/elsewhere")


def test_what_is_wrong_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    message = complaint(tmp_path, CONTRACT, {"EDGE_DAEMON_HTTP_BIND": "9108"})
    assert message.startswith("environment EDGE_DAEMON_HTTP_BIND: http.bind: has to be ADDRESS")
    secret = {"EDGE_DAEMON_MQTT_URL": "mqtt://a:hunter2@b"}
    assert "hunter2" not in complaint(tmp_path, CONTRACT, secret)


@pytest.mark.parametrize("variable", ["EDGE_DAEMON_MQTT_ULR", "EDGE_DAEMON_CAMERA_ID"])
def test_an_unknown_variable_of_a_section_is_refused(tmp_path: Path, variable: str) -> None:
    message = complaint(tmp_path, "", {variable: "x"})
    assert message.startswith(f"environment {variable}: unknown; known here: ")


def test_a_section_that_is_no_section_is_refused_though_the_environment_adds_to_it(
    tmp_path: Path,
) -> None:
    message = complaint(tmp_path, "mqtt = 3\n", {"EDGE_DAEMON_MQTT_URL": "mqtt://b"})
    assert "line 1: mqtt: " in message


def test_state_goes_where_the_configuration_says_before_systemd_before_home(tmp_path: Path) -> None:
    environ = {"STATE_DIRECTORY": "/run/a:/run/b", "HOME": "/home/op"}
    configured = load(tmp_path, '[state]\ndirectory = "/srv/state"\n')
    assert state_directory(configured, environ) == Path("/srv/state")
    assert state_directory(Config(), environ) == Path("/run/a")
    del environ["STATE_DIRECTORY"]
    assert state_directory(Config(), environ) == Path("/home/op/.local/state/edge-daemon")
    environ["XDG_STATE_HOME"] = "/home/op/state"
    assert state_directory(Config(), environ) == Path("/home/op/state/edge-daemon")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_not_taken_for_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(CONTRACT)
    path.chmod(stat.S_IWUSR)
    with pytest.raises(ConfigurationError, match="Permission denied"):
        load_config(path, {})
