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
| `event/loss`         | `loss`     | 1   | no       | yes                |
| `alarm/{name}`       | `alarm`    | 1   | yes      | yes                |
| `status`             | `status`   | 1   | yes      | no                 |
| `health`             | `health`   | 0   | no       | no                 |
"""

import re
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from edge_daemon.core.quantities import (
    AlarmName,
    CameraId,
    ClassName,
    CoilId,
    Count,
    Fraction,
    Length,
    Millimetres,
    Share,
    StreamId,
    Text,
    UtcTime,
)
from edge_daemon.core.reasons import LossReason, NotInspectedReason, Severity

_CLASS_COUNT = re.compile(r"defects_[A-Za-z0-9_-]{1,64}")


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

    `complete` is true where every configured camera saw the coil to its end and every line of each
    was inspected. `coverage` is the part that was inspected of the lines that cameras announced: it
    can be 1.0 although a camera is missing, so ask `complete`. `cameras` is how many took part.
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


class LossEvent(Body):
    """Messages that will never come: why numbers between `first_seq` and `last_seq` are missing.

    With `outbox_full` there was no room for them any more; `count` is exact, `first_at` and
    `last_at` are their times, and the others of that range come or came. With `state_lost` the
    outbox was damaged: `saved` messages were read out of it, and `count` numbers of the range were
    not among them. Some of those were delivered before, or never given, so `exact` is false; and
    what was lost before `first_seq` is not known.
    """

    kind = "loss"
    topic_pattern = "event/loss"

    reason: LossReason
    count: Count
    exact: bool
    first_seq: Annotated[int, Field(ge=1)] | None = None
    last_seq: Annotated[int, Field(ge=1)] | None = None
    first_at: UtcTime | None = None
    last_at: UtcTime | None = None
    saved: Count | None = None

    @model_validator(mode="after")
    def _names_what_is_missing(self) -> Self:
        if (self.count > 0) != (self.first_seq is not None and self.last_seq is not None):
            raise ValueError(f"{self.count} missing from {self.first_seq} to {self.last_seq}")
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


DurableBody: TypeAlias = DefectEvent | CoverageEvent | CoilEvent | LossEvent | AlarmState

BODIES: tuple[type[Body], ...] = (
    DefectEvent,
    CoverageEvent,
    CoilEvent,
    LossEvent,
    AlarmState,
    StatusReport,
    HealthReport,
)
