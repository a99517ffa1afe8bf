"""Recordings: the exact wire parts of each message, in an MCAP file (https://mcap.dev/spec).

| MCAP | here |
|---|---|
| profile | ``edge-daemon`` |
| chunk | up to 4 MiB, or a second's frames; not compressed, CRC-32 |
| channel ``frames/{camera}`` | messages whose first part is a valid camera id |
| channel ``frames`` | all others, and cameras from the 257th on |
| their encoding | ``edge-daemon.parts.v1``, see `edge_daemon.recordings.parts` |
| channel ``truth`` | what is known of a simulated line; encoding ``json`` |
| log time = publish time | when the message was received, ns since 1970 UTC |
| metadata | any names and texts |

Sensor noise doesn't compress, so nothing is tried. A file is written as ``NAME.part`` and gets its
name when it is finished; a ``.part`` that a crash left behind can be read up to its last whole
message.

Files are not trusted: all that is loaded has an upper size, checksums of chunks and messages are
held against their bytes, and compressed chunks, which may blow up, are refused. Damage costs the
messages that it hit, and is told at the end.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

from mcap.opcode import Opcode

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.fields import (
    MALFORMED,
    MAX_METADATA_BYTES,
    Channel,
    parse_channel,
    parse_metadata,
)
from edge_daemon.recordings.losses import Losses
from edge_daemon.recordings.mcap_file import read_records, read_summary
from edge_daemon.recordings.parts import is_whole, unpack_parts
from edge_daemon.recordings.records import Record
from edge_daemon.recordings.salvage import MESSAGE_HEAD

PROFILE = "edge-daemon"
PARTS_ENCODING, TRUTH_ENCODING = "edge-daemon.parts.v1", "json"
FRAMES_TOPIC, TRUTH_TOPIC = "frames", "truth"
MAX_TRUTH_BYTES: Final = 4 * 2**20
"""JSON takes some twenty times its size when it is read."""
_MAX_CHANNELS: Final = 1024
_MOST_OTHERS: Final = 8


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """One message as it came off the wire.

    Attributes:
        parts: all of its parts, unchecked.
        received_ns: when it was received, ns since 1970 UTC.
    """

    parts: list[bytes]
    received_ns: int


@dataclass(frozen=True, slots=True)
class RecordedTruth:
    """What is known of a simulated line, at this place of the recording; JSON."""

    data: bytes

    def parse(self) -> Any:  # noqa: ANN401 - whatever JSON can hold
        """Read it.

        Raises:
            RecordingError: it is no JSON.
        """
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError) as error:
            raise RecordingError(f"a truth that is no JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class RecordedMetadata:
    """Texts by name beside the messages."""

    name: str
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class OtherMessage:
    """A message that is not ours."""

    topic: str


Entry: TypeAlias = RecordedMessage | RecordedTruth | RecordedMetadata | OtherMessage


def read_recording(path: Path) -> Iterator[RecordedMessage]:
    """Give a recording's messages in the order of the file, one chunk in memory at a time.

    Raises:
        RecordingError: it can't be opened or isn't one; or, after all that is whole has been given,
            what of it is damaged or missing.
    """
    whole = 0
    others: set[str] = set()
    losses = Losses()
    for entry in read_entries(path, losses):
        if isinstance(entry, RecordedMessage):
            whole += 1
            yield entry
        elif isinstance(entry, OtherMessage) and len(others) < _MOST_OTHERS:
            others.add(entry.topic[:64])
        del entry  # up to 128 MiB, while the next is read
    if losses.count:
        raise RecordingError(f"{path.name}: {losses}; {whole} frames could be read")
    if others and not whole:
        raise RecordingError(f"{path.name} holds no camera's frames, only {sorted(others)}")


def read_truth(path: Path) -> Iterator[Any]:
    """Give what `RecordingWriter.write_truth` kept, in order.

    Raises:
        RecordingError: as `read_recording`.
    """
    losses = Losses()
    for entry in read_entries(path, losses):
        if isinstance(entry, RecordedTruth):
            yield entry.parse()
    if losses.count:
        raise RecordingError(f"{path.name}: {losses}")


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Give the texts that `RecordingWriter.write_metadata` kept; the last of a name counts.

    Raises:
        RecordingError: it can't be opened or isn't a recording, or a part of it is damaged.
    """
    losses = Losses()
    kept = {}
    for entry in read_entries(path, losses):
        if isinstance(entry, RecordedMetadata):
            kept[entry.name] = entry.fields
    if losses.count:
        raise RecordingError(f"{path.name}: {losses}")
    return kept


def count_frames(path: Path) -> int | None:
    """Read from its summary how many frames a recording has; None where it has none.

    It is what the file claims: good for a progress bar, not to allocate by.

    Raises:
        RecordingError: it can't be opened.
    """
    channels, statistics = read_summary(path)
    if statistics is None:
        return None
    counts = statistics.channel_message_counts
    ours = (n for n, channel in channels.items() if channel.encoding == PARTS_ENCODING)
    return sum(counts.get(number, 0) for number in ours)


def read_entries(path: Path, losses: Losses, *, any_start: bool = False) -> Iterator[Entry]:
    """Give all that a recording holds, in the order of the file.

    Args:
        path: the recording.
        losses: what can't be read is put in here.
        any_start: read on though the file doesn't begin as a recording does.

    Raises:
        RecordingError: it can't be opened or isn't one.
    """
    # A channel is declared in the chunk that uses it first; if that is damaged, the summary helps.
    reading = _Reading(dict(read_summary(path)[0]), losses)
    # By map, as a loop would hold on to one chunk's memory while the next is read.
    yield from filter(None, map(reading.read, read_records(path, losses, any_start=any_start)))


class _Reading:
    """What has to be known of a file's beginning to read on."""

    def __init__(self, channels: dict[int, Channel], losses: Losses) -> None:
        self._channels = channels
        self._losses = losses
        self._metadata_bytes = 0

    def read(self, record: Record) -> Entry | None:
        """What a record says; None where that is nothing for others, or can't be believed."""
        try:
            match record.opcode:
                case Opcode.CHANNEL:
                    self._declare(*parse_channel(record.body))
                    return None
                case Opcode.METADATA:
                    return self._metadata(record)
                case _:
                    return self._message(record)
        except RecordingError as error:
            self._losses.add(record.offset, record.end, why=f"at byte {record.offset}: {error}")
        except MALFORMED as error:
            why = f"what begins at byte {record.offset} is damaged ({error})"
            self._losses.add(record.offset, record.end, why=why)
        return None

    def _declare(self, number: int, channel: Channel) -> None:
        if number not in self._channels and len(self._channels) >= _MAX_CHANNELS:
            raise RecordingError(f"more than {_MAX_CHANNELS} channels")
        self._channels[number] = channel

    def _metadata(self, record: Record) -> RecordedMetadata:
        self._metadata_bytes += len(record.body)
        if self._metadata_bytes > MAX_METADATA_BYTES:
            raise RecordingError(f"more metadata than {MAX_METADATA_BYTES} bytes")
        return RecordedMetadata(*parse_metadata(record.body))

    def _message(self, record: Record) -> RecordedMessage | RecordedTruth | OtherMessage:
        number, _, log_ns, _ = MESSAGE_HEAD.unpack_from(record.body)
        data = record.body[MESSAGE_HEAD.size :]
        channel = self._channels.get(number)
        # Where its channel was lost with a damaged chunk, the message's own checksum is enough.
        if not record.is_sound or channel is None or channel.encoding == PARTS_ENCODING:
            return RecordedMessage(unpack_parts(data), log_ns)
        if channel.topic == TRUTH_TOPIC:
            if len(data) > MAX_TRUTH_BYTES:
                raise RecordingError(f"{len(data)} bytes of truth; {MAX_TRUTH_BYTES} is the most")
            return RecordedTruth(bytes(data))
        if is_whole(data):
            return RecordedMessage(unpack_parts(data), log_ns)
        return OtherMessage(channel.topic)
