"""Reads the configuration: one TOML file, overridden by `EDGE_DAEMON_<SECTION>_<KEY>`.

With no file at all the daemon runs on the CPU with the shipped bundle and listens on loopback.
Unknown keys are refused; what is wrong is said with its line.
"""

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edge_daemon.errors import ConfigurationError
from edge_daemon.settings import PASSWORD_IN_URL, CameraSection, Config

DEFAULT_PATH = Path("/etc/edge-daemon/config.toml")
ENVIRONMENT_PREFIX = "EDGE_DAEMON_"
_MOST_BYTES = 2**20


def load_config(path: Path | None, environ: Mapping[str, str] | None = None) -> Config:
    """Read the configuration.

    Args:
        path: the file; None takes `/etc/edge-daemon/config.toml` if it exists, else the defaults.
        environ: where overrides are looked for; the process's own by default.

    Raises:
        ConfigurationError: the file can't be read, is no TOML, or breaks a rule; the message names
            every line that is wrong and what was expected there.
    """
    environ = os.environ if environ is None else environ
    chosen = DEFAULT_PATH if path is None else path
    try:
        with chosen.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise ConfigurationError(f"{chosen}: is larger than 1 MiB, so it is none of ours")
        text = raw.decode("utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return _validate({}, "", "built-in defaults", environ)
        raise ConfigurationError(_unreadable(chosen, error)) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{chosen}: has to be UTF-8 text") from error
    except (ValueError, RecursionError) as error:  # beside TOML's own: huge numbers, deep nesting
        raise ConfigurationError(f"{chosen}: is no valid TOML: {error}") from error
    return _validate(content, text, str(chosen), environ)


def _unreadable(path: Path, error: OSError) -> str:
    if not isinstance(error, PermissionError):
        return f"{path}: can't be read ({error.strerror}); name an existing file with --config"
    for folder in reversed(path.absolute().parents):
        if not os.access(folder, os.X_OK, effective_ids=True):
            return f"{path}: {folder}: {error.strerror}; chmod 0755 {folder} or chgrp edge-daemon"
    return f"{path}: {error.strerror}; chmod 0644 or chgrp edge-daemon"


def state_directory(config: Config, environ: Mapping[str, str] | None = None) -> Path:
    """Where state lives: as configured, else systemd's $STATE_DIRECTORY, else the user's own."""
    environ = os.environ if environ is None else environ
    if config.state.directory is not None:
        return config.state.directory
    if environ.get("STATE_DIRECTORY"):
        return Path(environ["STATE_DIRECTORY"].split(":")[0])
    base = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/")) / ".local" / "state"
    return Path(base) / "edge-daemon"


def _validate(content: dict[str, Any], text: str, name: str, environ: Mapping[str, str]) -> Config:
    overridden = _override(content, environ)
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        faults = [_describe(fault, text, name, overridden) for fault in error.errors()]
        raise ConfigurationError("\n".join(faults)) from error
    for path, complaint in _conflicts(config):
        raise ConfigurationError(f"{_where(path, text, name)}: {complaint}")
    return config


def _conflicts(config: Config) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with keys that are each right: where, and the complaint."""
    ids = [camera.id for camera in config.camera]
    for index, one in enumerate(ids):
        if one in ids[:index]:
            yield (
                ("camera", index, "id"),
                f"camera.{index}.id: {one!r} is there twice; each camera needs its own id",
            )
    if config.open_doors and config.ingest.plain_tcp == "refuse":
        complaint = (
            f"ingest.bind: {', '.join(config.open_doors)} can be reached by other computers, where "
            "anyone could send frames; make keys with `edge-daemon keys` and name secret_key_file, "
            'or write plain_tcp = "anyone-may-connect" into [ingest]'
        )
        yield ("ingest", "bind"), complaint
    if config.ingest.secret_key_file is None:
        for index, camera in enumerate(config.camera):
            if camera.public_key is not None:
                complaint = (
                    f"camera.{index}.public_key: nobody is asked for a key without [ingest] "
                    "secret_key_file; `edge-daemon keys make` makes the daemon's"
                )
                yield ("camera", index, "public_key"), complaint
    keys = [camera.public_key for camera in config.camera if camera.public_key is not None]
    if len(set(keys)) < len(keys):
        yield ("camera",), "camera: two have the same public_key; each camera needs its own"
    if config.ingest.secret_key_file is not None and not config.camera:
        complaint = (
            "ingest.secret_key_file: there is no [[camera]], so none could log in; `edge-daemon "
            "keys` makes a public_key for each (to lock one out, delete its public_key and keep "
            "the rest of its [[camera]])"
        )
        yield ("ingest", "secret_key_file"), complaint


def _override(content: dict[str, Any], environ: Mapping[str, str]) -> dict[str, str]:
    """Put `EDGE_DAEMON_MQTT_URL` and the like into the content; returns variable by path.

    Raises:
        ConfigurationError: a variable begins like those of a section and is none of them.
    """
    overridden = {}
    for section, field in Config.model_fields.items():
        prefix = f"{ENVIRONMENT_PREFIX}{section}_".upper()
        keys = {prefix + key.upper(): key for key in getattr(field.annotation, "model_fields", {})}
        for variable in sorted(name for name in environ if name.startswith(prefix)):
            if variable not in keys:
                known = ", ".join(keys) or f"none, [[{section}]] stands in the file alone"
                raise ConfigurationError(f"environment {variable}: unknown; known here: {known}")
            if isinstance(content.setdefault(section, {}), dict):
                content[section][keys[variable]] = environ[variable]
                overridden[f"{section}.{keys[variable]}"] = variable
    return overridden


def _describe(fault: Any, text: str, name: str, overridden: Mapping[str, str]) -> str:  # noqa: ANN401 - pydantic's ErrorDetails
    path = [str(part) for part in fault["loc"]]
    dotted = ".".join(path)
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        known = ", ".join(_known_keys(path[:-1]))
        message = f"unknown key; known here: {known}"
    elif path == ["camera"]:
        message = "write [[camera]], with two brackets; each camera has such a block"
    elif path[-1] == "bind" and isinstance(fault["input"], list):
        message = "is one address; a further one is the bind of the [[camera]] that it is for"
    elif fault["type"] != "missing":
        message = f"{message}, got {_shown(path, fault['input'])}"
    if dotted in overridden:
        return f"environment {overridden[dotted]}: {dotted}: {message}"
    return f"{_where(fault['loc'], text, name)}: {dotted}: {message}"


def _shown(path: list[str], value: object) -> str:
    """What was written, but no secret: where there is an @, a password may stand before it."""
    if path[0] == "mqtt" and "@" in repr(value):
        return "something with an @, which isn't shown"
    return PASSWORD_IN_URL.sub(r"\1:***@", repr(value))


def _where(path: tuple[str | int, ...], text: str, name: str) -> str:
    line = _line_of(path, text)
    return f"{name}, line {line}" if line else name


def _known_keys(path: list[str]) -> list[str]:
    model: Any = Config
    for part in path:
        if part == "camera":
            model = CameraSection
        elif not part.isdigit():
            model = model.model_fields[part].annotation
    return list(model.model_fields)


def _line_of(path: tuple[str | int, ...], text: str) -> int | None:
    """Line of a key, else of what it stands in, by the headers and assignments of the TOML text."""
    section = str(path[0])
    index = next((part for part in path if isinstance(part, int)), 0)
    wanted = ".".join(part for part in path if isinstance(part, str))
    found, current, seen = None, "", -1
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([A-Za-z0-9_.-]+)\s*\]", line)
        assignment = re.match(r"\s*([A-Za-z0-9_.-]+)\s*=", line)
        if header:
            current = name = header[1]
            seen += current == section
        elif assignment:
            name = f"{current}.{assignment[1]}".lstrip(".")
        else:
            continue
        if current == section and seen != index:
            continue
        if name == wanted:
            return number
        if f"{wanted}.".startswith(f"{name}.") or name.startswith(f"{wanted}."):
            found = found or number
    return found
