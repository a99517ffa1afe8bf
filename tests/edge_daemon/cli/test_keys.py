import json
import stat
import tomllib
from pathlib import Path

import pytest

from edge_daemon.cli.keys import DAEMON_FILE, list_and_print, make_and_print
from edge_daemon.config import load_config
from edge_daemon.errors import ConfigurationError
from edge_daemon.ingest.keys import KeyPair, fingerprint, read_secret
from edge_daemon.settings import Config


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "keys"


def make(out: Path, *names: str, overwrite: bool = False) -> dict[str, KeyPair]:
    make_and_print(out, names, overwrite=overwrite, as_json=True)
    return {path.name: read_secret(path) for path in out.iterdir()}


def test_each_end_gets_a_file_that_only_its_owner_reads(out: Path) -> None:
    pairs = make(out, "top-1", "top-2")
    assert set(pairs) == {DAEMON_FILE, "camera-top-1.secret", "camera-top-2.secret"}
    assert len(set(pairs.values())) == 3
    assert stat.S_IMODE(out.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in out.iterdir()} == {0o600}


def test_the_lines_that_it_prints_are_toml_and_hold_the_public_keys(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_and_print(out, ["top-1", "top-2"], overwrite=False, as_json=False)
    printed = capsys.readouterr().out
    pasted = tomllib.loads(printed)
    assert read_secret(Path(pasted["ingest"]["secret_key_file"])) == read_secret(out / DAEMON_FILE)
    keys = {block["id"]: block["public_key"] for block in pasted["camera"]}
    assert keys == {
        name: read_secret(out / f"camera-{name}.secret").public for name in ("top-1", "top-2")
    }
    assert f"--server-key '{read_secret(out / DAEMON_FILE).public}'" in printed


@pytest.mark.parametrize("as_json", [False, True])
def test_secret_keys_are_never_printed(
    out: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool
) -> None:
    pairs = make(out, "top-1")
    make_and_print(out, ["top-1"], overwrite=False, as_json=as_json)
    list_and_print(loaded(out, "top-1"), as_json=as_json)
    printed = capsys.readouterr().out
    assert all(pair.public in printed for pair in pairs.values())
    assert not any(pair.secret in printed for pair in pairs.values())


def test_a_second_call_adds_cameras_and_leaves_what_is_there(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = make(out, "top-1")
    capsys.readouterr()
    after = make(out, "top-1", "top-2")
    assert {name: after[name] for name in before} == before
    listed = json.loads(capsys.readouterr().out)
    assert [(key["name"], key["made"]) for key in listed] == [
        (None, False),
        ("top-1", False),
        ("top-2", True),
    ]


def test_overwriting_renews_the_named_cameras_or_else_the_daemon(out: Path) -> None:
    first = make(out, "top-1", "top-2")
    second = make(out, "top-1", overwrite=True)
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"camera-top-1.secret"}
    third = make(out, overwrite=True)
    changed = {name for name in second if second[name] != third[name]}
    assert changed == {DAEMON_FILE}


@pytest.mark.parametrize("name", ["", "../evil", "top/1", "a" * 65, "daemon.secret", "ö"])
def test_what_is_no_camera_id_makes_no_file(out: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="no camera id"):
        make_and_print(out, ["top-1", name], overwrite=False, as_json=False)
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match=r"file.*can't be made"):
        make_and_print(tmp_path / "file", [], overwrite=False, as_json=False)


def loaded(out: Path, *keyed: str) -> Config:
    """A configuration with the named cameras and one without a key."""
    blocks = [f'[ingest]\nsecret_key_file = "{out / DAEMON_FILE}"']
    for name in (*keyed, "bench"):
        block = f'[[camera]]\nid = "{name}"\nmm_per_px_along = 1.0\nmm_per_px_across = 1.0'
        if name in keyed:
            block += f'\npublic_key = "{read_secret(out / f"camera-{name}.secret").public}"'
        blocks.append(block)
    path = out.parent / "config.toml"
    path.write_text("\n".join(blocks))
    return load_config(path, {})


def test_the_list_shows_who_may_log_in(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = make(out, "top-1")
    capsys.readouterr()
    list_and_print(loaded(out, "top-1"), as_json=True)
    listed = json.loads(capsys.readouterr().out)
    daemon, top = pairs[DAEMON_FILE].public, pairs["camera-top-1.secret"].public
    assert listed["daemon"] == {"public_key": daemon, "fingerprint": fingerprint(daemon)}
    assert listed["cameras"] == [
        {
            "camera": "top-1",
            "public_key": top,
            "fingerprint": fingerprint(top),
            "may_log_in": True,
        },
        {"camera": "bench", "public_key": None, "fingerprint": None, "may_log_in": False},
    ]


def test_keys_are_shown_in_full_to_people(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = make(out, "top-1")
    capsys.readouterr()
    list_and_print(loaded(out, "top-1"), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[2] == pairs[DAEMON_FILE].public
    assert lines[1].split()[1] == pairs["camera-top-1.secret"].public
    assert lines[2].split(maxsplit=1)[1] == "has no key"


def test_without_keys_the_list_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.toml"
    path.write_text("")
    list_and_print(load_config(path, {}), as_json=False)
    assert "asks for no keys" in capsys.readouterr().out
    list_and_print(load_config(path, {}), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"daemon": None, "cameras": []}
