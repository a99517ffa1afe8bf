"""`keys make` and `keys list`: who may send frames. Secret keys go to files, never to a screen."""

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_daemon.core.wire import CAMERA_ID_PATTERN
from edge_daemon.errors import ConfigurationError
from edge_daemon.ingest.keys import KeyPair, fingerprint, make_pair, read_secret, write_secret
from edge_daemon.settings import Config

DAEMON_FILE = "daemon.secret"
_FOLDER_MODE = 0o700
_CAMERA_ID = re.compile(CAMERA_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A pair and the file that keeps its secret half.

    Attributes:
        name: the camera's id; None is the daemon.
        file: where its secret key is.
        public_key: for everybody.
        fingerprint: of the public key.
        made: whether it is new; else it was there and stays.
    """

    name: str | None
    file: Path
    public_key: str
    fingerprint: str
    made: bool


@dataclass(frozen=True, slots=True)
class ListedKey:
    """A camera of the configuration.

    Attributes:
        camera: its id.
        public_key: None where none is configured.
        fingerprint: of that.
        may_log_in: whether the daemon lets it in at a tcp endpoint that asks for keys.
    """

    camera: str
    public_key: str | None
    fingerprint: str | None
    may_log_in: bool


def make_and_print(out: Path, names: Sequence[str], *, overwrite: bool, as_json: bool) -> None:
    """Make the daemon's key and one for each camera, and print what to do with them.

    What is there stays, so that a camera can be added later. With `overwrite` the named cameras get
    new keys; without any names the daemon does.

    Raises:
        ConfigurationError: a name is no camera id, or a file can't be read or written.
    """
    for name in names:
        if not _CAMERA_ID.match(name):
            raise ConfigurationError(
                f"{name!r} is no camera id: it has to match [A-Za-z0-9_-]{{1,64}}"
            )
    try:
        out.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"{out}: can't be made ({error.strerror})") from error
    daemon = _have(out / DAEMON_FILE, None, renew=overwrite and not names)
    cameras = [
        _have(out / f"camera-{name}.secret", name, renew=overwrite) for name in dict.fromkeys(names)
    ]
    if as_json:
        text = json.dumps([asdict(key) for key in (daemon, *cameras)], indent=2, default=str)
        sys.stdout.write(text + "\n")
    else:
        sys.stdout.write(_instructions(daemon, cameras))


def _have(path: Path, name: str | None, *, renew: bool) -> MadeKey:
    """The key in a file; made where there is none, or a new one is wanted."""
    made = renew or not path.exists()
    pair = make_pair() if made else read_secret(path)
    if made:
        owner = "the daemon" if name is None else f"camera {name}"
        write_secret(path, pair, of=owner, overwrite=renew)
    return MadeKey(name, path.absolute(), pair.public, fingerprint(pair.public), made)


def _instructions(daemon: MadeKey, cameras: Sequence[MadeKey]) -> str:
    lines = [
        f"# {'new' if key.made else 'was there'}: {key.file}  ({key.fingerprint})"
        for key in (daemon, *cameras)
    ]
    lines += ["", "# For the daemon's configuration:", "[ingest]"]
    lines += [f'secret_key_file = "{daemon.file}"']
    for key in cameras:
        lines += ["", "[[camera]]", f'id = "{key.name}"', f'public_key = "{key.public_key}"']
    if cameras:
        lines += ["# (into the camera's block; a new one needs mm_per_px_along and _across too)"]
    for key in cameras:
        lines += ["", f"# For camera {key.name}: its own file {key.file.name}, and"]
        lines += [f"#   edge-daemon camera SOURCE --connect tcp://HOST:PORT --camera {key.name} \\"]
        lines += [f"#     --secret-key {key.file.name} --server-key '{daemon.public_key}'"]
    return "\n".join([*lines, ""])


def list_and_print(config: Config, *, as_json: bool) -> None:
    """Print the daemon's public key and those of its cameras.

    Raises:
        ConfigurationError: the daemon's key file can't be used.
    """
    secret_file = config.ingest.secret_key_file
    pair = None if secret_file is None else read_secret(secret_file)
    cameras = [
        ListedKey(
            camera.id,
            camera.public_key,
            fingerprint(camera.public_key) if camera.public_key else None,
            may_log_in=pair is not None and camera.public_key is not None,
        )
        for camera in config.camera
    ]
    if as_json:
        daemon = None
        if pair is not None:
            daemon = {"public_key": pair.public, "fingerprint": fingerprint(pair.public)}
        document = {"daemon": daemon, "cameras": [asdict(camera) for camera in cameras]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    sys.stdout.write(_lines(pair, cameras))


def _lines(daemon: KeyPair | None, cameras: Sequence[ListedKey]) -> str:
    """One line for each key, in full: it is there to be copied, whatever the terminal's width."""
    own = "asks for no keys: [ingest] secret_key_file is not set"
    rows = [("(the daemon)", f"{daemon.public}  {fingerprint(daemon.public)}" if daemon else own)]
    for each in cameras:
        key = f"{each.public_key}  {each.fingerprint}"
        rows.append((each.camera, key if each.public_key else "has no key"))
    width = max(len(name) for name, _ in rows)
    return "".join(f"{name:<{width}}  {text}".rstrip() + "\n" for name, text in rows)
