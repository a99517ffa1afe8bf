"""What is in records of an MCAP file, parsed with limits on what a hostile one may hold."""

import struct
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from mcap.data_stream import ReadDataStream
from mcap.exceptions import EndOfFile
from mcap.records import Metadata

from edge_daemon.errors import RecordingError

MALFORMED = (EndOfFile, OverflowError, UnicodeDecodeError, struct.error)
"""What parsing a record raises that is not what it says it is."""
MAX_METADATA_BYTES: Final = 2**20
_MAX_CHANNEL_BYTES: Final = 4096
_CHANNEL = struct.Struct("<HHI")
_TEXT = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Channel:
    """What messages of a channel are about, and how they are written."""

    topic: str
    encoding: str


def stream_of(body: memoryview) -> ReadDataStream:
    """A record's bytes, to be parsed; they can't run on into the next record."""
    return ReadDataStream(BytesIO(body))


def parse_channel(body: memoryview) -> tuple[int, Channel]:
    """A channel's number and the channel.

    Raises:
        RecordingError: it is too large.
        struct.error: it is too short.
        UnicodeDecodeError: its names are no text.
    """
    if len(body) > _MAX_CHANNEL_BYTES:
        raise RecordingError(f"a channel of {len(body)} bytes; {_MAX_CHANNEL_BYTES} is the most")
    number, _, length = _CHANNEL.unpack_from(body)
    topic_end = _CHANNEL.size + length
    (length,) = _TEXT.unpack_from(body, topic_end)
    topic = str(body[_CHANNEL.size : topic_end], "utf-8")
    encoding_at = topic_end + _TEXT.size
    return number, Channel(topic, str(body[encoding_at : encoding_at + length], "utf-8"))


def parse_metadata(body: memoryview) -> tuple[str, dict[str, str]]:
    """The name of some metadata, and what stands under it.

    Raises:
        RecordingError: it is too large or not what it says it is.
    """
    if len(body) > MAX_METADATA_BYTES:
        raise RecordingError(f"metadata of {len(body)} bytes; {MAX_METADATA_BYTES} is the most")
    try:
        metadata = Metadata.read(stream_of(body))
    except MALFORMED as error:
        raise RecordingError(f"metadata that is damaged ({error})") from error
    return metadata.name, metadata.metadata
