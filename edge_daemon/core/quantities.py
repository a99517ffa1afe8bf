"""What a message's fields may hold: each bounded, each with one way to be written."""

import math
from typing import Annotated

from pydantic import AfterValidator, AllowInfNan, Field


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
