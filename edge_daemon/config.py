"""The daemon's configuration: one TOML file, overridden by `EDGE_DAEMON_<SECTION>_<KEY>`.

Every default is safe and works: with no file at all the daemon runs on the CPU with the shipped
bundle and listens on loopback. Unknown keys are refused; what is wrong is said with its line.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from edge_daemon.core.placement import Scale
from edge_daemon.core.wire import CAMERA_ID_PATTERN
from edge_daemon.errors import ConfigurationError
from edge_daemon.ingest.drop_policy import DropPolicy
from edge_daemon.plans.fingerprint import Precision

DEFAULT_PATH = Path("/etc/edge-daemon/config.toml")
ENVIRONMENT_PREFIX = "EDGE_DAEMON_"

_HOST = r"(?:\[[0-9A-Fa-f:]+\]|[^\s:/@]+)"
_ENDPOINT = re.compile(rf"tcp://{_HOST}:(?:(?P<port>[0-9]+)|\*)|ipc://\S+")
_HOST_PORT = re.compile(rf"{_HOST}:(?P<port>[0-9]+)")
_MQTT_URL = re.compile(rf"mqtts?://(?:[^@:/\s]+@)?{_HOST}(?::(?P<port>[0-9]+))?/?")
_PASSWORD = re.compile(r"(://[^:@/]*):.*@")
_PORT_MAX = 65535
_TOPIC_ROOT = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


def _endpoint(text: str) -> str:
    return _match(_ENDPOINT, text, "tcp://ADDRESS:PORT or ipc://PATH")


def _host_port(text: str) -> str:
    return _match(_HOST_PORT, text, "ADDRESS:PORT, for instance 127.0.0.1:9108")


def _topic_root(text: str) -> str:
    if not _TOPIC_ROOT.fullmatch(text):
        raise ValueError("has to be topic levels of A-Z a-z 0-9 _ - with single slashes between")
    return text


def _mqtt_url(text: str) -> str:
    if _PASSWORD.search(text):
        raise ValueError("must not hold a password; put that into a file and name password_file")
    return _match(_MQTT_URL, text, "mqtt://HOST:PORT or mqtts://HOST:PORT")


def _match(pattern: re.Pattern[str], text: str, expected: str) -> str:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"has to be {expected}")
    if match["port"] and int(match["port"]) > _PORT_MAX:
        raise ValueError(f"a port is {_PORT_MAX} at most")
    return text


Endpoint = Annotated[str, AfterValidator(_endpoint)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A section of the file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestSection(Section):
    """`[ingest]`: where cameras connect, how much may wait, and what is left out of more."""

    bind: Endpoint = "tcp://127.0.0.1:5555"
    drop_policy: DropPolicy = DropPolicy.DEADLINE
    queue_frames: Annotated[int, Field(ge=1, le=1000)] = 4
    queue_mib: Annotated[int, Field(ge=1, le=65536)] = 512
    max_age_s: Positive = 5.0
    max_payload_mib: Annotated[int, Field(ge=1, le=1024)] = 256
    decoders: Annotated[int, Field(ge=1, le=64)] = 1


class CameraSection(Section):
    """`[[camera]]`: one camera and its scale."""

    id: Annotated[str, Field(pattern=CAMERA_ID_PATTERN.replace(r"\Z", "$"))]
    mm_per_px_along: Positive
    mm_per_px_across: Positive
    across_offset_mm: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    bind: Endpoint | None = None

    @property
    def scale(self) -> Scale:
        """The camera's scale."""
        return Scale(self.mm_per_px_along, self.mm_per_px_across, self.across_offset_mm)


class BundleSection(Section):
    """`[bundle]`: the network."""

    path: Path | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Precision = Precision.FP16
    threads: Annotated[int, Field(ge=0, le=256)] = 0
    batch_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 2.0
    known_answer_every_s: Positive = 60.0


class MqttSection(Section):
    """`[mqtt]`: the plant's broker; without a url alerts are kept and shown, not sent."""

    url: Annotated[str, AfterValidator(_mqtt_url)] | None = None
    root: Annotated[str, AfterValidator(_topic_root)] = "edge/line-1"
    password_file: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None


class HttpSection(Section):
    """`[http]`: metrics and health."""

    bind: Annotated[str, AfterValidator(_host_port)] = "127.0.0.1:9108"


class AlarmsSection(Section):
    """`[alarms]`: what rings in the control room."""

    camera_silent_s: Positive = 30.0


class StateSection(Section):
    """`[state]`: what has to outlive the process."""

    directory: Path | None = None


class Config(Section):
    """The whole file."""

    ingest: IngestSection = IngestSection()
    camera: tuple[CameraSection, ...] = ()
    bundle: BundleSection = BundleSection()
    mqtt: MqttSection = MqttSection()
    http: HttpSection = HttpSection()
    alarms: AlarmsSection = AlarmsSection()
    state: StateSection = StateSection()

    @property
    def scales(self) -> dict[str, Scale]:
        """Scale by camera id."""
        return {camera.id: camera.scale for camera in self.camera}

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Every endpoint that cameras connect to, each once."""
        own = [camera.bind for camera in self.camera if camera.bind is not None]
        return tuple(dict.fromkeys([self.ingest.bind, *own]))


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
        text = chosen.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        if path is None and isinstance(error, FileNotFoundError):
            return _validate({}, "", "built-in defaults", environ)
        raise ConfigurationError(
            f"{chosen}: can't be read ({error.strerror}); name an existing file with --config"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{chosen}: has to be UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{chosen}: is no valid TOML: {error}") from error
    return _validate(content, text, str(chosen), environ)


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
    ids = [camera.id for camera in config.camera]
    for index, one in enumerate(ids):
        if one in ids[:index]:
            where = _where(("camera", index, "id"), text, name)
            raise ConfigurationError(
                f"{where}: camera.{index}.id: {one!r} is there twice; each camera needs its own id"
            )
    return config


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
    elif fault["type"] != "missing":
        got = _PASSWORD.sub(r"\1:***@", repr(fault["input"]))
        message = f"{message}, got {got}"
    if dotted in overridden:
        return f"environment {overridden[dotted]}: {dotted}: {message}"
    return f"{_where(fault['loc'], text, name)}: {dotted}: {message}"


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
