"""Doors and keys in the configuration, and what it must never repeat of them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_daemon.config import load_config
from edge_daemon.errors import ConfigurationError

NOBODY = 65534
KEY = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
CAMERA = '[[camera]]\nid = "{id}"\nmm_per_px_along = 1.0\nmm_per_px_across = 1.0\n'


@pytest.mark.parametrize("host", ["0.0.0.0", "*", "[::]", "192.168.1.4", "example.org"])  # noqa: S104 - refused
def test_an_open_door_is_refused_with_both_remedies(tmp_path: Path, host: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[ingest]\nbind = "tcp://{host}:5555"\n')
    with pytest.raises(ConfigurationError, match=r"line 2: .*keys.*anyone-may-connect"):
        load_config(file, {})


@pytest.mark.parametrize(
    "bind", ["tcp://127.0.0.1:1", "tcp://[::1]:1", "tcp://localhost:1", "ipc:///x"]
)
def test_a_door_of_this_computer_is_not_an_open_one(tmp_path: Path, bind: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'[ingest]\nbind = "{bind}"\n')
    assert load_config(file, {}).open_doors == ()


def test_a_door_is_open_only_in_words(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[ingest]\nbind = "tcp://*:5555"\nplain_tcp = "anyone-may-connect"\n')
    assert load_config(file, {}).open_doors == ("tcp://*:5555",)


def test_a_daemon_with_a_key_needs_a_camera_with_one(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[ingest]\nbind = "tcp://*:5555"\nsecret_key_file = "/nowhere"\n')
    with pytest.raises(
        ConfigurationError, match=r"line 3: .*there is no \[\[camera\]\].*public_key"
    ):
        load_config(file, {})


def test_two_cameras_with_one_key_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    blocks = "".join(CAMERA.format(id=one) + f"public_key = '{KEY}'\n" for one in "ab")
    file.write_text(f'[ingest]\nsecret_key_file = "/nowhere"\n{blocks}')
    with pytest.raises(ConfigurationError, match="same public_key"):
        load_config(file, {})


def test_a_camera_with_a_key_that_nobody_asks_for_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(CAMERA.format(id="a") + f"public_key = '{KEY}'\n")
    with pytest.raises(ConfigurationError, match=r"line 5: .*without \[ingest\] secret_key_file"):
        load_config(file, {})


def test_a_key_that_is_none_is_refused_with_what_it_should_be(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(CAMERA.format(id="a") + 'public_key = "short"\n')
    with pytest.raises(ConfigurationError, match="40 characters"):
        load_config(file, {})


def test_the_last_camera_s_key_can_be_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[ingest]\nsecret_key_file = "/nowhere"\n' + CAMERA.format(id="a"))
    assert load_config(file, {}).camera[0].public_key is None


@pytest.mark.parametrize(
    "line",
    [
        'url = "mqtt:/edge:hunter2secret@broker:1883"',
        'url = "edge:hunter2secret@broker:1883"',
        'url = "mqtt//edge:hunter2secret@broker"',
        'url = ["mqtt://edge:hunter2secret@broker"]',
        'root = "edge:hunter2secret@broker"',
    ],
)
def test_a_password_in_a_mistyped_url_is_not_shown(line: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[mqtt]\n{line}\n")
    with pytest.raises(ConfigurationError, match=r"line 2: mqtt\.") as caught:
        load_config(file, {})
    assert "hunter2" not in str(caught.value)
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, {"EDGE_DAEMON_MQTT_URL": "edge:hunter2secret@broker"})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("[camera]\nid = 'a'\n", "line 1: camera: write [[camera]], with two brackets"),
        ("[ingest]\nbind = ['tcp://127.0.0.1:1']\n", "the bind of the [[camera]] that it is for"),
    ],
)
def test_a_wrong_form_is_answered_with_the_right_one(
    text: str, advice: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(file, {})
    assert advice in str(caught.value)


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights, where root runs the tests."""
    before = os.geteuid()
    os.seteuid(NOBODY if before == 0 else before)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("locked", ["config.toml", "etc"])
def test_what_may_not_be_read_is_named_with_what_to_change(locked: str) -> None:
    with tempfile.TemporaryDirectory() as text:
        Path(text).chmod(0o755)  # pytest's own folders are for their owner alone
        folder = Path(text) / "etc"
        folder.mkdir()
        file = folder / "config.toml"
        file.write_text("")
        (file if locked == "config.toml" else folder).chmod(0)
        with nobody(), pytest.raises(ConfigurationError) as caught:
            load_config(file, {})
        folder.chmod(0o700)
    mode = "0644" if locked == "config.toml" else f"0755 {folder}"
    assert f"Permission denied; chmod {mode} or chgrp edge-daemon" in str(caught.value)
