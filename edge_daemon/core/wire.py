"""Frames on the wire, version 1: three ZeroMQ message parts.

1. camera id, UTF-8, ``[A-Za-z0-9_-]{1,64}``
2. header, a JSON object of at most 4096 bytes
3. payload: the pixels, in the codec that the header names

Header keys (unknown ones are ignored):

| key | type | meaning |
|---|---|---|
| ``v`` | int | 1 |
| ``stream`` | str | new and random each time the camera starts |
| ``seq`` | int | +1 per frame within a stream |
| ``t_ns`` | int | exposure of the first row, ns since 1970 UTC |
| ``width``, ``height`` | int | pixels, 1..16384 |
| ``format`` | str | GenICam PFNC name: Mono8, Mono16, RGB8, BGR8 |
| ``codec`` | str | raw, jpeg, png |
| ``first_line`` | int, optional | row counter since the stream began; default ``seq * height`` |
| ``encoder_mm`` | number, optional | position of the first row along the strip |
| ``coil`` | str, optional | ``[A-Za-z0-9_.-]{1,64}`` |
| ``crc32`` | int, optional | of the payload |
"""

import json
import re
import zlib
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal, NoReturn, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from edge_daemon.errors import FrameError, RejectReason

PARTS = 3
CAMERA_ID_PATTERN = r"^[A-Za-z0-9_-]{1,64}\Z"
MAX_CAMERA_ID_BYTES = 64
MAX_HEADER_BYTES = 4096
MAX_SIDE_PX = 16384
MAX_LINE = 2**53
"""Row counters beyond it are no longer exact in JSON as most of the world reads it."""
_INT64_MAX = 2**63 - 1
_PLACING = ("v", "stream", "seq", "height", "first_line")
_CAMERA_ID = re.compile(CAMERA_ID_PATTERN)
_SHOWN_CHARS = 64

Part: TypeAlias = bytes | memoryview


class PixelFormat(StrEnum):
    """GenICam PFNC names that a frame may have."""

    MONO8 = "Mono8"
    MONO16 = "Mono16"
    RGB8 = "RGB8"
    BGR8 = "BGR8"

    @property
    def bytes_per_pixel(self) -> int:
        """Bytes that one pixel takes in a raw payload."""
        return {"Mono8": 1, "Mono16": 2, "RGB8": 3, "BGR8": 3}[self.value]


class Codec(StrEnum):
    """How the payload is packed."""

    RAW = "raw"
    JPEG = "jpeg"
    PNG = "png"


def _encodable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has to be printable text")
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Counter = Annotated[int, Field(ge=0, le=_INT64_MAX)]
Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PX)]


class FrameHeader(BaseModel):
    """A frame's header as the camera sent it; see the table at the top of the module."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, allow_inf_nan=False)

    v: Literal[1]
    stream: Text
    seq: Counter
    t_ns: Counter
    width: Side
    height: Side
    format: Annotated[PixelFormat, Field(strict=False)]
    codec: Annotated[Codec, Field(strict=False)]
    first_line: Counter | None = None
    encoder_mm: float | None = None
    coil: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}\z")
    crc32: Annotated[int, Field(ge=0, le=2**32 - 1)] | None = None

    @model_validator(mode="after")
    def _counts_rows_that_anybody_can_count(self) -> Self:
        # With a row counter of its own a frame may still have a number that claims as many rows.
        row = max(self.top_line, self.seq * self.height)
        if row + self.height > MAX_LINE:
            raise ValueError(f"row {row} is beyond {MAX_LINE}, which no camera reaches")
        return self

    @property
    def top_line(self) -> int:
        """Row counter of the first row, since the stream began."""
        return self.seq * self.height if self.first_line is None else self.first_line


@dataclass(frozen=True, slots=True)
class Frame:
    """A message that keeps the contract; its pixels are still packed.

    Attributes:
        camera: the camera's id.
        header: the checked header.
        payload: packed pixels; a view on the receive buffer, not a copy.
        fault: what is wrong with the header beside the frame's place; then the rest of the header
            is made up (`t_ns` is 0 where it was wrong), and the payload empty.
    """

    camera: str
    header: FrameHeader
    payload: memoryview
    fault: FrameError | None = None


def parse_camera_id(part: Part) -> str:
    """Read the first part.

    Raises:
        FrameError: it isn't 1 to 64 letters, digits, ``_`` or ``-``.
    """
    start = bytes(part[: MAX_CAMERA_ID_BYTES + 1])  # a part may have as many megabytes as a payload
    try:
        camera = start.decode()
    except UnicodeDecodeError:
        camera = ""
    if not _CAMERA_ID.match(camera):
        raise FrameError(
            RejectReason.CAMERA_ID,
            f"the camera id has to match {CAMERA_ID_PATTERN}, got {start!r}",
        )
    return camera


def parse_header(part: Part) -> FrameHeader:
    """Read the second part.

    Raises:
        FrameError: too long, no JSON object, wrong version, or a field outside its range.
    """
    try:
        return FrameHeader.model_validate(_read_fields(part))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "header"
        raise FrameError(RejectReason.HEADER_FIELD, f"{name}: {first['msg']}") from error


def _read_fields(part: Part) -> dict[str, Any]:
    """The header's keys and values, of version 1 and not checked any further."""
    if len(part) > MAX_HEADER_BYTES:
        raise FrameError(
            RejectReason.HEADER_SIZE,
            f"the header has {len(part)} bytes, {MAX_HEADER_BYTES} at most",
        )
    try:
        fields = json.loads(
            str(part, "utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_each_once
        )
    except (ValueError, RecursionError) as error:
        raise FrameError(RejectReason.HEADER_JSON, f"the header is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise FrameError(RejectReason.HEADER_JSON, "the header has to be a JSON object")
    version = fields.get("v")
    if type(version) is not int or version != 1:  # neither True nor 1.0, which equal 1
        raise FrameError(
            RejectReason.VERSION, f"this daemon speaks version 1, got v={_shown(version)}"
        )
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names are unique (RFC 7493, 2.3): which of two is meant, nobody can tell."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = Tally(name for name, _ in pairs)
        raise ValueError(f"{_shown(names.most_common(1)[0][0])} is there more than once")
    return fields


def _shown(value: object) -> str:
    """What was sent, as far as a log line takes it."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}..."


def parse(parts: Sequence[Part]) -> Frame:
    """Check a whole message but for its pixels.

    Raises:
        FrameError: anything that breaks the contract; the reason says which part.
    """
    if len(parts) != PARTS:
        raise FrameError(
            RejectReason.PARTS, f"a frame is {PARTS} parts (id, header, payload), got {len(parts)}"
        )
    camera = parse_camera_id(parts[0])
    return Frame(camera, parse_header(parts[1]), memoryview(parts[2]))


def parse_placed(parts: Sequence[Part]) -> Frame:
    """As `parse`, but a frame that is wrong and still says which rows it has is returned.

    So its rows can be booked; `Frame.fault` says why they can't be inspected.

    Raises:
        FrameError: anything that breaks the contract and leaves the place unknown.
    """
    try:
        return parse(parts)
    except FrameError as error:
        header = _placing_header(parts[1]) if error.reason is RejectReason.HEADER_FIELD else None
        if header is None:
            raise
        return Frame(parse_camera_id(parts[0]), header, memoryview(b""), fault=error)


def _placing_header(part: Part) -> FrameHeader | None:
    """The header with its place as sent, other faults mended; None where the place is the fault."""
    sent = _read_fields(part)
    fields = {key: sent[key] for key in _PLACING if key in sent}
    fields |= {"t_ns": 0, "width": 1, "format": PixelFormat.MONO8, "codec": Codec.RAW}
    header = None
    for key in ("v", "t_ns", "coil", "encoder_mm"):
        tried = fields | {k: sent[k] for k in (key,) if k in sent}
        try:
            header = FrameHeader.model_validate(tried)
        except ValidationError:
            continue
        fields = tried
    return header


def check_payload(frame: Frame) -> None:
    """Hold the payload against its header, before any pixel is unpacked.

    Raises:
        FrameError: a raw payload of another size than announced, or a wrong checksum.
    """
    header = frame.header
    if header.codec is Codec.RAW:
        expected = header.width * header.height * header.format.bytes_per_pixel
        if frame.payload.nbytes != expected:
            raise FrameError(
                RejectReason.PAYLOAD_SIZE,
                f"{header.width}x{header.height} {header.format} takes {expected} bytes, "
                f"the payload has {frame.payload.nbytes}",
            )
    if header.crc32 is not None and zlib.crc32(frame.payload) != header.crc32:
        raise FrameError(
            RejectReason.CRC32,
            "the payload's CRC-32 is not the one in the header: damaged on its way",
        )


def encode(camera: str, header: FrameHeader, payload: Part) -> list[Part]:
    """Build the three parts that a camera sends."""
    packed = header.model_dump_json(exclude_none=True).encode()
    return [camera.encode(), packed, payload]
