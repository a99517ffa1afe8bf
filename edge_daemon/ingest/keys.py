"""Key files: who a camera is, and which daemon is the real one.

Every end of an encrypted connection (ZeroMQ CURVE, which is Curve25519) has a pair of keys of 32
bytes, written as 40 characters of Z85 (ZeroMQ RFC 32). The public one may be shown to everybody and
stands in the configuration; the secret one stands alone in a file:

    # edge-daemon: secret key of camera top-1. Whoever reads it can send frames in its name.
    # public key: rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7
    JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6

Lines that begin with "# " are for people: no key has a blank in it. The public key is computed from
the secret one, so the two can't disagree.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import zmq
from zmq.utils import z85

from edge_daemon.errors import ConfigurationError
from edge_daemon.settings import CameraSection, IngestSection

_KEY_CHARS: Final = 40
_KEY_BYTES: Final = 32
_MOST_BYTES: Final = 4096
_MODE: Final = 0o600
_FORBIDDEN: Final = stat.S_IWGRP | stat.S_IRWXO
_FINGERPRINT_HEX: Final = 16


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The two keys of one end.

    Attributes:
        public: 40 characters of Z85; for everybody.
        secret: 40 characters of Z85; not even in a traceback.
    """

    public: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keyring:
    """What the daemon needs to let its cameras in.

    Attributes:
        daemon: its own pair.
        cameras: camera id by public key.
    """

    daemon: KeyPair
    cameras: Mapping[str, str]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, but hardly was meant."""
        if self.cameras:
            return ()
        return ("[[camera]]: none has a public_key, so no camera can log in by tcp",)


@dataclass(frozen=True, slots=True)
class Login:
    """What a camera needs to be let in.

    Attributes:
        own: its own pair.
        daemon: the daemon's public key, so that frames go to no one else.
    """

    own: KeyPair
    daemon: str


def make_pair() -> KeyPair:
    """Draw a new pair."""
    public, secret = zmq.curve_keypair()
    return KeyPair(public.decode(), secret.decode())


def fingerprint(public_key: str) -> str:
    """Short enough to be compared over the telephone: SHA-256 of the 32 bytes, its first 8."""
    digest = hashlib.sha256(z85.decode(public_key)).hexdigest()[:_FINGERPRINT_HEX]
    return ":".join(digest[at : at + 4] for at in range(0, _FINGERPRINT_HEX, 4))


def write_secret(path: Path, pair: KeyPair, *, of: str, overwrite: bool = False) -> None:
    """Write a secret key file, for its owner alone (mode 0600), whole or not at all.

    Args:
        path: the file.
        pair: whose secret key it keeps.
        of: whose key that is, for people.
        overwrite: replace a file that is there.

    Raises:
        ConfigurationError: there is a file already, or it can't be written.
    """
    text = (
        f"# edge-daemon: secret key of {of}. Whoever reads it can take its place.\n"
        f"# public key: {pair.public}\n{pair.secret}\n"
    )
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write_synced(draft, text)
        try:
            if overwrite:
                draft.replace(path)
            else:
                path.hardlink_to(draft)  # unlike a rename it never replaces what is there
        finally:
            draft.unlink(missing_ok=True)
        _sync_folder(path.parent)
    except FileExistsError as error:
        raise ConfigurationError(
            f"{path}: is there already; say --overwrite to replace the key, which locks out "
            "whoever uses it until they have the new one"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{path}: can't be written ({error.strerror})") from error


def _write_synced(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "w") as file:
        os.fchmod(file.fileno(), _MODE)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_secret(path: Path) -> KeyPair:
    """Read a secret key file.

    A group may read it (a service's group, systemd's credentials), nobody else may.

    Raises:
        ConfigurationError: it can't be read, others may read it, or it holds no secret key. The
            message never shows what the file holds.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: the secret key can't be read ({error.strerror}); `edge-daemon keys make` "
            "makes one, and only the user that needs it may read it"
        ) from error
    if stat.S_ISREG(mode) and mode & _FORBIDDEN:
        raise ConfigurationError(
            f"{path}: others may read or change this secret key (mode {stat.S_IMODE(mode):04o}); "
            f"chmod 600 it, and make a new one if somebody may have read it"
        )
    return _parse(path, content)


def _parse(path: Path, content: bytes) -> KeyPair:
    lines = [line.strip() for line in content.split(b"\n")] if len(content) <= _MOST_BYTES else []
    keys = [line for line in lines if line and not line.startswith(b"# ")]
    if len(keys) == 1 and len(keys[0]) == _KEY_CHARS:
        try:
            return KeyPair(zmq.curve_public(keys[0]).decode(), keys[0].decode("ascii"))
        except (zmq.ZMQError, UnicodeDecodeError, ValueError):
            pass
    raise ConfigurationError(
        f"{path}: is no secret key file: one line of {_KEY_CHARS} characters beside comments, as "
        "`edge-daemon keys make` writes it"
    )


def load_login(secret_key_file: Path, daemon: str) -> Login:
    """Read what a camera needs to be let in.

    Raises:
        ConfigurationError: the secret key file can't be used, or the daemon's key is none.
    """
    try:
        is_key = len(z85.decode(daemon)) == _KEY_BYTES
    except (KeyError, ValueError):
        is_key = False
    if not is_key:
        raise ConfigurationError(
            f"--server-key: has to be the {_KEY_CHARS} characters that `edge-daemon keys list` "
            "shows as the daemon's public key, in single quotes"
        )
    return Login(read_secret(secret_key_file), daemon)


def load_keyring(ingest: IngestSection, cameras: Iterable[CameraSection]) -> Keyring | None:
    """Read the daemon's key and the list of those that it lets in; None where none is configured.

    Raises:
        ConfigurationError: the secret key file can't be used.
    """
    if ingest.secret_key_file is None:
        return None
    try:
        pair = read_secret(ingest.secret_key_file)
    except ConfigurationError as error:
        raise ConfigurationError(f"[ingest] secret_key_file: {error}") from error
    return Keyring(pair, {each.public_key: each.id for each in cameras if each.public_key})
