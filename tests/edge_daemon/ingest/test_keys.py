import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from edge_daemon.errors import ConfigurationError
from edge_daemon.ingest.keys import (
    KeyPair,
    fingerprint,
    load_keyring,
    load_login,
    make_pair,
    read_secret,
    write_secret,
)
from edge_daemon.settings import CameraSection, IngestSection

# The pair of ZeroMQ's own manual page zmq_curve(7).
PUBLIC, SECRET = (
    "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
    "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "camera.secret"


def test_a_pair_is_read_back_as_it_was_written(path: Path) -> None:
    pair = make_pair()
    write_secret(path, pair, of="camera top-1")
    assert read_secret(path) == pair
    assert make_pair() != pair


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_secret_is_for_its_owner_alone_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_secret(path, make_pair(), of="x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_key_that_is_there_is_replaced_only_if_that_is_said(path: Path) -> None:
    first, second = make_pair(), make_pair()
    write_secret(path, first, of="x")
    with pytest.raises(ConfigurationError, match="--overwrite"):
        write_secret(path, second, of="x")
    assert read_secret(path) == first
    write_secret(path, second, of="x", overwrite=True)
    assert read_secret(path) == second
    assert list(path.parent.iterdir()) == [path]


def test_a_link_that_leads_nowhere_is_not_followed_when_writing(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigurationError, match="--overwrite"):
        write_secret(path, make_pair(), of="x")
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere.*No such file"):
        write_secret(tmp_path / "nowhere" / "x", make_pair(), of="x")


@pytest.mark.parametrize(
    ("mode", "is_refused"),
    [
        (0o400, False),
        (0o600, False),
        (0o440, False),  # how systemd shows a credential
        (0o640, False),
        (0o604, True),
        (0o644, True),
        (0o602, True),
        (0o601, True),
        (0o660, True),
    ],
)
def test_a_secret_that_others_can_read_or_change_is_none(
    path: Path, mode: int, *, is_refused: bool
) -> None:
    write_secret(path, make_pair(), of="x")
    path.chmod(mode)
    if is_refused:
        with pytest.raises(ConfigurationError, match=f"mode {mode:04o}.*chmod 600"):
            read_secret(path)
    else:
        read_secret(path)


def test_a_missing_file_is_refused_with_the_remedy(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"No such file.*keys make"):
        read_secret(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# only a comment\n",
        SECRET.encode()[:-1],
        SECRET.encode() + b"x",
        SECRET.encode() + b"\n" + SECRET.encode(),
        b"\xff" * 40,
        b"~" * 40,
        b"#" * 40,  # the characters are right, the number is too large
        b'password = "hunter2 and much more of the same"',
        (SECRET + "\n").encode() * 1000,
    ],
)
def test_a_wrong_file_is_refused_and_what_it_holds_is_not_shown(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigurationError, match="is no secret key file") as caught:
        read_secret(path)
    assert "hunter2" not in str(caught.value)
    assert SECRET[:20] not in str(caught.value)


@given(content=st.binary(max_size=200))
def test_any_file_is_a_key_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("keys") / "x"
    path.write_bytes(content)
    path.chmod(0o600)
    try:
        read_secret(path)
    except ConfigurationError as error:
        assert "is no secret key file" in str(error)  # noqa: PT017 - a key would be right as well


def test_the_public_key_is_computed_from_the_secret_one(path: Path) -> None:
    path.write_text(f"# public key: somebody else's\n\n{SECRET}\n")
    path.chmod(0o600)
    assert read_secret(path).public == PUBLIC


def test_a_pair_never_shows_its_secret() -> None:
    pair = KeyPair(PUBLIC, SECRET)
    assert SECRET not in repr(pair)
    assert SECRET not in str(pair)


def test_a_fingerprint_tells_keys_apart_and_is_always_the_same() -> None:
    assert fingerprint(PUBLIC) == fingerprint(PUBLIC)
    assert len(fingerprint(PUBLIC)) == 19
    assert len({fingerprint(make_pair().public) for _ in range(20)}) == 20


def camera(name: str, public_key: str | None) -> CameraSection:
    return CameraSection(id=name, mm_per_px_along=1, mm_per_px_across=1, public_key=public_key)


def test_the_keyring_holds_the_cameras_that_have_a_key(path: Path) -> None:
    pair = make_pair()
    write_secret(path, pair, of="the daemon")
    keyring = load_keyring(
        IngestSection(secret_key_file=path), [camera("top-1", PUBLIC), camera("top-2", None)]
    )
    assert keyring is not None
    assert keyring.daemon == pair
    assert keyring.cameras == {PUBLIC: "top-1"}


def test_without_a_secret_key_file_there_is_no_keyring() -> None:
    assert load_keyring(IngestSection(), [camera("top-1", PUBLIC)]) is None


def test_a_keyring_that_cannot_be_read_names_the_key_of_the_configuration(path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[ingest\] secret_key_file"):
        load_keyring(IngestSection(secret_key_file=path), [])


@pytest.mark.parametrize("wrong", ["", "x", PUBLIC[:-1], PUBLIC + "x", "~" * 40, "ö" * 40])
def test_a_servers_key_that_is_none_is_refused(path: Path, wrong: str) -> None:
    write_secret(path, make_pair(), of="x")
    with pytest.raises(ConfigurationError, match="--server-key"):
        load_login(path, wrong)
    assert load_login(path, PUBLIC).daemon == PUBLIC
