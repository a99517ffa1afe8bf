"""The facts that are told to the plant, and how they look on the wire.

Every message is one flat JSON object: an envelope (`id`, `seq`, `ts`, `schema`) and a body. What
isn't known is left out, never null. A number that is a float has a decimal point in every message
(subscribers infer a tag's type from what they see first), so floats are rounded to at most four
decimals and bounded: the shortest form of such a number never needs an exponent. Times are
ISO 8601, UTC, with six decimals and `Z`.

| topic below the root | kind       | QoS | retained | kept in the outbox |
|----------------------|------------|-----|----------|--------------------|
| `event/defect`       | `defect`   | 1   | no       | yes                |
| `event/coverage`     | `coverage` | 1   | no       | yes                |
| `event/coil`         | `coil`     | 1   | no       | yes                |
| `alarm/{name}`       | `alarm`    | 1   | yes      | yes                |
| `status`             | `status`   | 1   | yes      | no                 |
| `health`             | `health`   | 0   | no       | no                 |
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias
from uuid import UUID

from pydantic import (
    AfterValidator,
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLASS_COUNT = re.compile(r"defects_[A-Za-z0-9_-]{1,64}")


class NotInspectedReason(StrEnum):
    """Why a stretch of strip was not looked at: a closed set, also a metric's label."""

    LOST = "lost"
    REJECTED = "rejected"
    DECODE_ERROR = "decode_error"
    STALE = "stale"
    DROPPED = "dropped"
    ENGINE_FAULT = "engine_fault"
    DAEMON_RESTART = "daemon_restart"
    CAMERA_RESTART = "camera_restart"
    UNREADABLE = "unreadable"


class Severity(StrEnum):
    """How bad a defect is, from the bundle's class table."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


def _to_micrometres(value: float) -> float:
    return round(value, 3)


def _to_four_decimals(value: float) -> float:
    return round(value, 4)


def _down_to_four_decimals(value: float) -> float:
    """So that 1.0 means all: one row that is missing in a thousand metres still shows."""
    return math.floor(value * 10_000) / 10_000


CameraId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
CoilId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
StreamId = Annotated[str, Field(max_length=4096)]
ClassName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
AlarmName = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
Text = Annotated[str, Field(max_length=500)]
Count = Annotated[int, Field(ge=0)]
UtcTime = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$",
        json_schema_extra={"format": "date-time"},
    ),
]
Millimetres = Annotated[
    float,
    AllowInfNan(allow_inf_nan=False),
    Field(ge=-1e12, le=1e12),
    AfterValidator(_to_micrometres),
]
Length = Annotated[
    float, AllowInfNan(allow_inf_nan=False), Field(ge=0, le=1e12), AfterValidator(_to_micrometres)
]
Fraction = Annotated[
    float, AllowInfNan(allow_inf_nan=False), Field(ge=0, le=1), AfterValidator(_to_four_decimals)
]
Share = Annotated[
    float,
    AllowInfNan(allow_inf_nan=False),
    Field(ge=0, le=1),
    AfterValidator(_down_to_four_decimals),
]


class Body(BaseModel):
    """What a message says, without the envelope it gets when it is stored."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: ClassVar[str]
    topic_pattern: ClassVar[str]
    retain: ClassVar[bool] = False
    qos: ClassVar[Literal[0, 1]] = 1

    @property
    def topic(self) -> str:
        """The topic below the root."""
        return self.topic_pattern


class DefectEvent(Body):
    """A defect that ended, or (`open`) one that is told before: it is long, or the strip stands.

    Lines are rows of the camera's stream, counted from 0, first and last inclusive. `class` is
    the class's name in the bundle; `captured_at` the exposure of the frame in which the defect
    begins. Millimetres are there where the camera's scale is known.
    """

    kind = "defect"
    topic_pattern = "event/defect"

    defect_id: Annotated[str, Field(min_length=1, max_length=64)]
    open: bool
    camera: CameraId
    stream: StreamId
    coil: CoilId | None = None
    class_id: Annotated[int, Field(ge=1)]
    class_name: Annotated[ClassName, Field(alias="class")]
    severity: Severity
    score: Fraction
    first_line: Count
    last_line: Count
    left_px: Count
    width_px: Annotated[int, Field(ge=1)]
    area_px: Annotated[int, Field(ge=1)]
    captured_at: UtcTime
    position_mm: Millimetres | None = None
    across_mm: Millimetres | None = None
    length_mm: Length | None = None
    width_mm: Length | None = None
    area_mm2: Length | None = None
    bundle: Annotated[str, Field(min_length=1, max_length=128)]

    @model_validator(mode="after")
    def _ends_behind_its_beginning(self) -> Self:
        if self.last_line < self.first_line:
            raise ValueError(f"last_line {self.last_line} is before first_line {self.first_line}")
        return self


class CoverageEvent(Body):
    """A stretch that nobody looked at: lines `from_line` up to, not including, `to_line`.

    `lines` is how many are missing. That is more than the row counter says where only the camera's
    frame numbers jumped, and 0 where a restarted camera left a gap that only the encoder saw.
    """

    kind = "coverage"
    topic_pattern = "event/coverage"

    camera: CameraId
    stream: StreamId
    coil: CoilId | None = None
    reason: NotInspectedReason
    from_line: Count
    to_line: Count
    lines: Count
    from_mm: Millimetres | None = None
    to_mm: Millimetres | None = None

    @model_validator(mode="after")
    def _counts_its_lines(self) -> Self:
        if not 0 <= self.to_line - self.from_line <= self.lines:
            raise ValueError(f"{self.lines} lines from {self.from_line} to {self.to_line}")
        return self


class CoilEvent(Body):
    """A coil has begun, or is done; then with its summary and `defects_<class>` for each class.

    `complete` is true where every line of every camera was inspected; `coverage` is the part of
    the lines that was.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "patternProperties": {f"^{_CLASS_COUNT.pattern}$": {"type": "integer", "minimum": 0}},
            "additionalProperties": False,
        },
    )
    __pydantic_extra__: dict[str, Count]

    kind = "coil"
    topic_pattern = "event/coil"

    state: Literal["begun", "done"]
    coil: CoilId
    begun_at: UtcTime
    done_at: UtcTime | None = None
    from_mm: Millimetres | None = None
    to_mm: Millimetres | None = None
    cameras: Count | None = None
    lines_inspected: Count | None = None
    lines_not_inspected: Count | None = None
    coverage: Share | None = None
    complete: bool | None = None
    defects: Count | None = None
    defects_minor: Count | None = None
    defects_major: Count | None = None
    defects_critical: Count | None = None

    @model_validator(mode="after")
    def _says_all_when_done(self) -> Self:
        alien = [key for key in self.__pydantic_extra__ if not _CLASS_COUNT.fullmatch(key)]
        if alien:
            raise ValueError(f"only defects_<class> may be added, not {', '.join(alien)}")
        summary = {
            name: getattr(self, name)
            for name in type(self).model_fields
            if name not in {"state", "coil", "begun_at", "from_mm", "to_mm"}
        }
        missing = [name for name, value in summary.items() if value is None]
        if self.state == "done" and missing:
            raise ValueError(f"a coil that is done needs {', '.join(missing)}")
        return self


class AlarmState(Body):
    """The state of one alarm, after delays: active or not, since when, how often it was raised."""

    kind = "alarm"
    topic_pattern = "alarm/{name}"
    retain = True

    name: AlarmName
    active: bool
    since: UtcTime
    count: Count
    text: Text

    @property
    def topic(self) -> str:
        """The topic below the root, one for each alarm."""
        return f"alarm/{self.name}"


class StatusReport(Body):
    """Whether the station is there: birth (running), clean stop (stopped), will (lost)."""

    kind = "status"
    topic_pattern = "status"
    retain = True

    online: bool
    state: Literal["running", "stopped", "lost"]
    version: Text
    bundle: Text
    started_at: UtcTime

    @model_validator(mode="after")
    def _is_online_while_running(self) -> Self:
        if self.online != (self.state == "running"):
            raise ValueError(f"online is {self.online} while the state is {self.state}")
        return self

    def ended(self, state: Literal["stopped", "lost"]) -> Self:
        """Return the same report for a station that is not there any more."""
        return self.model_copy(update={"online": False, "state": state})


class HealthReport(Body):
    """How the station is doing: counters since the daemon started."""

    kind = "health"
    topic_pattern = "health"
    qos = 0

    uptime_s: Length
    frames_received: Count
    frames_rejected: Count
    lines_inspected: Count
    lines_not_inspected: Count
    outbox_depth: Count
    cameras: Count
    inspecting: bool


DurableBody: TypeAlias = DefectEvent | CoverageEvent | CoilEvent | AlarmState

BODIES: tuple[type[Body], ...] = (
    DefectEvent,
    CoverageEvent,
    CoilEvent,
    AlarmState,
    StatusReport,
    HealthReport,
)


@dataclass(frozen=True, slots=True)
class Announcement:
    """A fact that has to reach the plant.

    Attributes:
        body: what is to be told; it knows its topic and whether the broker retains it.
        arrived_monotonic_ns: when the frame came in that it stems from, for the latency from
            arrival to confirmation; None where no frame is behind it.
    """

    body: DurableBody
    arrived_monotonic_ns: int | None = None

    @property
    def topic(self) -> str:
        """The topic below the root."""
        return self.body.topic

    @property
    def retain(self) -> bool:
        """Whether the broker keeps it for those who subscribe later."""
        return self.body.retain


def schema_name(kind: str) -> str:
    """Return what stands in a message's `schema`."""
    return f"edge-daemon/{kind}/v1"


def iso_utc(unix_ns: int) -> str:
    """Return a time as it is written in messages; what is finer than a microsecond is cut off."""
    moment = _EPOCH + timedelta(microseconds=unix_ns // 1000)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rjust(26, "0") + "Z"


def to_wire(body: Body, *, message_id: UUID, seq: int, ts_ns: int) -> bytes:
    """Put a body into its envelope.

    Args:
        body: what is told.
        message_id: UUIDv7 that subscribers recognise duplicates by.
        seq: place in the station's sequence.
        ts_ns: when it was stored, ns since 1970 UTC.
    """
    message: dict[str, Any] = {
        "id": str(message_id),
        "seq": seq,
        "ts": iso_utc(ts_ns),
        "schema": schema_name(body.kind),
        **body.model_dump(mode="json", by_alias=True, exclude_none=True),
    }
    return json.dumps(message, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
