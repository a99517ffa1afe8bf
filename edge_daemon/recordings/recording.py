"""Recordings: the exact wire parts of each message, in an MCAP file (https://mcap.dev/spec).

| MCAP | here |
|---|---|
| profile | ``edge-daemon`` |
| chunk | about 4 MiB, or a second's frames; not compressed, CRC-32 |
| channel ``frames/{camera}`` | messages whose first part is a valid camera id |
| channel ``frames`` | all others, and cameras from the 257th on |
| their encoding | ``edge-daemon.parts.v1``, see `edge_daemon.recordings.parts` |
| channel ``truth`` | what is known of a simulated line; encoding ``json`` |
| log time, publish time | when the message was received, ns since 1970 UTC |
| metadata | any names and texts |

Sensor noise doesn't compress, so nothing is tried. A file is written as ``NAME.part`` and gets its
name when it is finished; a ``.part`` that a crash left behind can be read up to its last whole
message.

Files are not trusted: a record has an upper size, checksums of chunks and messages are held against
their bytes, and compressed chunks, which may blow up, are refused. Damage costs the messages that
it hit, and is told at the end.
"""

import json
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, Message, Metadata

from edge_daemon.errors import RecordingError
from edge_daemon.recordings.mcap_file import Losses, Record, read_summary, scan, top_records
from edge_daemon.recordings.parts import unpack_parts

PROFILE = "edge-daemon"
PARTS_ENCODING, TRUTH_ENCODING = "edge-daemon.parts.v1", "json"
FRAMES_TOPIC, TRUTH_TOPIC = "frames", "truth"
MAX_MESSAGE_BYTES = 128 * 2**20
"""A message's parts with their lengths; 16384 x 2730 pixels in RGB fit."""


@dataclass(frozen=True, slots=True)
class RecordedMessage:
    """One message as it came off the wire.

    Attributes:
        parts: all of its parts, unchecked.
        received_ns: when it was received, ns since 1970 UTC.
    """

    parts: list[bytes]
    received_ns: int


def read_recording(path: Path) -> Iterator[RecordedMessage]:
    """Give a recording's messages in the order of the file, one chunk in memory at a time.

    Raises:
        RecordingError: it can't be opened or isn't one; or, after all that is whole has been given,
            what of it is damaged or missing.
    """
    whole = 0
    others: set[str] = set()
    losses = Losses()
    for channel, message, is_sound in _messages(path, losses):
        if channel.message_encoding != PARTS_ENCODING:
            others.add(channel.topic[:64])
            continue
        try:
            parts = unpack_parts(message.data)
        except RecordingError as error:
            if is_sound:
                losses.add(str(error))
        else:
            yield RecordedMessage(parts, message.log_time)
            whole += 1
    if losses.count:
        raise RecordingError(f"{path.name}: {losses}; {whole} frames could be read")
    if others - {TRUTH_TOPIC} and not whole:
        raise RecordingError(f"{path.name} holds no camera's frames, only {sorted(others)[:8]}")


def read_truth(path: Path) -> Iterator[Any]:
    """Give what `RecordingWriter.write_truth` kept, in order.

    Raises:
        RecordingError: as `read_recording`, or it is no JSON.
    """
    losses = Losses()
    for channel, message, is_sound in _messages(path, losses):
        if is_sound and channel.topic == TRUTH_TOPIC:
            try:
                yield json.loads(message.data)
            except (ValueError, RecursionError) as error:
                raise RecordingError(f"{path.name}: a truth that is no JSON: {error}") from error
    if losses.count:
        raise RecordingError(f"{path.name}: {losses}")


def read_metadata(path: Path) -> dict[str, dict[str, str]]:
    """Give the texts that `RecordingWriter.write_metadata` kept; the last of a name counts.

    Raises:
        RecordingError: it can't be opened or isn't a recording, or a part of it is damaged.
    """
    losses = Losses()
    kept = {}
    for record in top_records(path, losses):
        if record.opcode == Opcode.METADATA and not record.is_cut:
            with losses.noted(record):
                metadata = Metadata.read(record.stream)
                kept[metadata.name] = metadata.metadata
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
    ours = (n for n, channel in channels.items() if channel.message_encoding == PARTS_ENCODING)
    return sum(counts.get(number, 0) for number in ours)


def _messages(path: Path, losses: Losses) -> Iterator[tuple[Channel, Message, bool]]:
    """Messages, their channels, and whether the chunk around them is as it was written."""
    # A channel is declared in the chunk that uses it first; if that is damaged, the summary helps.
    channels, _ = read_summary(path)
    for record in top_records(path, losses):
        with losses.noted(record):
            is_sound, inner_records = _unchunked(record)
            for inner in inner_records:
                if inner.is_cut:
                    continue
                if inner.opcode == Opcode.CHANNEL:
                    channel = Channel.read(inner.stream)
                    if is_sound or channel.id not in channels:
                        channels[channel.id] = channel
                elif inner.opcode == Opcode.MESSAGE:
                    message = Message.read(inner.stream, len(inner.body))
                    if message.channel_id not in channels:
                        raise RecordingError("a message of an unknown channel")
                    yield channels[message.channel_id], message, is_sound
            if not is_sound:
                raise RecordingError("wrong checksum")


def _unchunked(record: Record) -> tuple[bool, Iterable[Record]]:
    """The records in a chunk, or one that stands alone, and whether their checksum holds."""
    if record.opcode != Opcode.CHUNK:
        return True, (record,)
    chunk = Chunk.read(record.stream)
    if chunk.compression:
        raise RecordingError("it is compressed: run `mcap decompress IN.mcap --output OUT.mcap`")
    is_sound = chunk.uncompressed_crc in (0, zlib.crc32(chunk.data)) and not record.is_cut
    return is_sound, scan(BytesIO(chunk.data), len(chunk.data))
