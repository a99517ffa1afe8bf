"""The sections of the configuration: what each key means, which values it may have.

`edge_daemon.config` reads the file. Every default is safe and works.
"""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from edge_daemon.addresses import is_local
from edge_daemon.core.drop_policy import DropPolicy
from edge_daemon.core.picture_quality import PictureFault, PictureRules
from edge_daemon.core.placement import Scale
from edge_daemon.core.wire import CAMERA_ID_PATTERN
from edge_daemon.plans.fingerprint import Precision

_HOST = r"(?:\[[0-9A-Fa-f:]+\]|[^\s:/@?#]+)"
_ENDPOINT = re.compile(rf"tcp://{_HOST}:(?:(?P<port>[0-9]+)|\*)|ipc://\S+")
_HOST_PORT = re.compile(rf"{_HOST}:(?P<port>[0-9]+)")
_MQTT_URL = re.compile(rf"mqtts?://(?:[^@:/\s]+@)?{_HOST}(?::(?P<port>[0-9]+))?/?")
PASSWORD_IN_URL = re.compile(r"(://[^:@/]*):.*@")
_PORT_MAX = 65535
_CURVE_KEY = re.compile(r"[0-9A-Za-z.:+=^!/*?&<>()\[\]{}@%$#-]{40}")
_TOPIC_ROOT = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


def _endpoint(text: str) -> str:
    return _match(_ENDPOINT, text, "tcp://ADDRESS:PORT or ipc://PATH")


def _curve_key(text: str) -> str:
    if not _CURVE_KEY.fullmatch(text):
        raise ValueError("has to be the 40 characters that `edge-daemon keys` shows as public key")
    return text


def _host_port(text: str) -> str:
    return _match(_HOST_PORT, text, "ADDRESS:PORT, for instance 127.0.0.1:9108")


def _topic_root(text: str) -> str:
    if not _TOPIC_ROOT.fullmatch(text):
        raise ValueError("has to be topic levels of A-Z a-z 0-9 _ - with single slashes between")
    return text


def _mqtt_url(text: str) -> str:
    if PASSWORD_IN_URL.search(text):
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
Seconds = Annotated[float, Field(gt=0, le=31_536_000, allow_inf_nan=False)]
"""More than none, a year at most."""


class Section(BaseModel):
    """A section of the file; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class IngestSection(Section):
    """`[ingest]`: where cameras connect, how much may wait, and what is left out of more."""

    bind: Endpoint = "tcp://127.0.0.1:5555"
    drop_policy: DropPolicy = DropPolicy.DEADLINE
    queue_frames: Annotated[int, Field(ge=1, le=1000)] = 4
    queue_mib: Annotated[int, Field(ge=1, le=65536)] = 512
    max_age_s: Seconds = 5.0
    max_payload_mib: Annotated[int, Field(ge=1, le=1024)] = 256
    max_frames_per_s: Positive = 1000.0
    max_cameras: Annotated[int, Field(ge=1, le=1024)] = 64
    max_process_mib: Annotated[int, Field(ge=512, le=16_777_216)] | None = None
    decoders: Annotated[int, Field(ge=1, le=64)] = 1
    secret_key_file: Path | None = None
    plain_tcp: Literal["refuse", "anyone-may-connect"] = "refuse"


class CameraSection(Section):
    """`[[camera]]`: one camera and its scale."""

    id: Annotated[str, Field(pattern=CAMERA_ID_PATTERN.replace(r"\Z", "$"))]
    mm_per_px_along: Positive
    mm_per_px_across: Positive
    across_offset_mm: Annotated[float, Field(allow_inf_nan=False)] = 0.0
    bind: Endpoint | None = None
    public_key: Annotated[str, AfterValidator(_curve_key)] | None = None

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
    batch_wait_ms: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 2.0
    known_answer_every_s: Seconds = 8.0


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
    certificate_file: Path | None = None
    key_file: Path | None = None
    token_file: Path | None = None


class AlarmsSection(Section):
    """`[alarms]`: what rings in the control room."""

    camera_silent_s: Seconds = 30.0


class ImageSection(Section):
    """`[image]`: which pictures are not fit to be looked at; docs/image-quality.md."""

    black: bool = True
    white: bool = True
    frozen: bool = True
    blurred: bool = True
    dark_level: Annotated[int, Field(ge=1, le=255)] = PictureRules().dark_level
    least_sharpness: Annotated[float, Field(ge=0, lt=1)] = PictureRules().least_sharpness
    least_detail: Annotated[float, Field(ge=0, lt=1)] = PictureRules().least_detail

    @property
    def rules(self) -> PictureRules | None:
        """By which pictures are judged; None: not at all."""
        kinds = frozenset(kind for kind in PictureFault if getattr(self, kind))
        if not kinds:
            return None
        return PictureRules(
            kinds=kinds,
            dark_level=self.dark_level,
            least_sharpness=self.least_sharpness,
            least_detail=self.least_detail,
        )


class EvidenceSection(Section):
    """`[evidence]`: the frames around a defect, kept as recordings in a folder of bounded size."""

    directory: Path | None = None
    max_mib: Annotated[int, Field(ge=16, le=16_777_216)] = 4096
    memory_mib: Annotated[int, Field(ge=1, le=65536)] = 64
    before_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 2.0
    after_s: Annotated[float, Field(ge=0, le=600, allow_inf_nan=False)] = 2.0
    leave_free_mib: Annotated[int, Field(ge=0, le=16_777_216)] = 1024


class StateSection(Section):
    """`[state]`: what has to outlive the process."""

    directory: Path | None = None
    outbox_mib: Annotated[int, Field(ge=1, le=65536)] = 1024


class Config(Section):
    """The whole file."""

    ingest: IngestSection = IngestSection()
    camera: tuple[CameraSection, ...] = ()
    bundle: BundleSection = BundleSection()
    mqtt: MqttSection = MqttSection()
    http: HttpSection = HttpSection()
    alarms: AlarmsSection = AlarmsSection()
    image: ImageSection = ImageSection()
    evidence: EvidenceSection = EvidenceSection()
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

    @property
    def open_doors(self) -> tuple[str, ...]:
        """Endpoints that other computers reach without a key."""
        if self.ingest.secret_key_file is not None:
            return ()
        return tuple(each for each in self.endpoints if not is_local(each))
