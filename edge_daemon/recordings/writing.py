"""Writing recordings; their format is described in `edge_daemon.recordings.recording`."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from mcap.writer import CompressionType, Writer

from edge_daemon.core.wire import Part, parse_camera_id
from edge_daemon.errors import FrameError, RecordingError
from edge_daemon.recordings.mcap_file import MAX_RECORD_BYTES
from edge_daemon.recordings.parts import MAX_MESSAGE_BYTES, MAX_PARTS, can_be_kept, pack_parts
from edge_daemon.recordings.recording import (
    FRAMES_TOPIC,
    MAX_TRUTH_BYTES,
    PARTS_ENCODING,
    PROFILE,
    TRUTH_ENCODING,
    TRUTH_TOPIC,
)
from edge_daemon.recordings.records import HEAD
from edge_daemon.recordings.salvage import MESSAGE_HEAD

CHUNK_BYTES = 4 * 2**20
PART_SUFFIX = ".part"
_MAX_CAMERA_CHANNELS = 256


class RecordingWriter:
    """Writes a recording; a context manager, and for one thread.

    What `write` was given is on the disk when the chunk is full that it is in, and `sync_every_s`
    later at most: a process that is killed and a power cut cost no more than that.

    Args:
        path: where the finished recording will be; until then `suffix` is put behind its name.
        overwrite: replace what is there, a left-over unfinished file too.
        sync_every_s: how much a power cut may cost; None syncs only at the end, and makes the same
            messages give the same bytes.
        clock: seconds that never go back.
        suffix: of the unfinished file.
    """

    def __init__(
        self,
        path: Path,
        *,
        overwrite: bool = False,
        sync_every_s: float | None = 1.0,
        clock: Callable[[], float] = time.monotonic,
        suffix: str = PART_SUFFIX,
    ) -> None:
        self.path = path
        self.part_path = path.with_name(path.name + suffix)
        self._overwrite = overwrite
        self._sync_every_s = sync_every_s
        self._clock = clock
        self._channels: dict[str, int] = {}
        self._count = 0
        self._open_chunk_bytes = 0
        self._last_ns = 0
        self._synced_at = 0.0

    def __enter__(self) -> Self:
        if not self._overwrite:
            self._refuse_existing()
        with self._disk_errors():
            self._file = self.part_path.open("wb" if self._overwrite else "xb")
        # Chunks are ended in here: the library would leave their tails in the file's buffer.
        self._writer = Writer(
            self._file, chunk_size=MAX_RECORD_BYTES, compression=CompressionType.NONE
        )
        self._writer.start(profile=PROFILE, library=PROFILE)
        self._synced_at = self._clock()
        try:
            self._sync_name()
        except RecordingError:
            with suppress(OSError):  # what couldn't be written is tried once more, in vain
                self._file.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._disk_errors(), self._file:
            if error is None:
                self._writer.finish()  # type: ignore[no-untyped-call] # mcap leaves it bare
                self._file.flush()
                os.fdatasync(self._file.fileno())
                self.part_path.replace(self.path)
                _sync_folder(self.path.parent)

    def write(self, parts: Sequence[Part], received_ns: int) -> None:
        """Keep a message.

        Raises:
            RecordingError: it is too large, or the disk doesn't take it.
        """
        if not can_be_kept(parts):
            raise RecordingError(
                f"a message of {len(parts)} parts: {MAX_PARTS} of them and {MAX_MESSAGE_BYTES} "
                "bytes in all is the most"
            )
        channel = self._frame_channel(parts)
        self._add(channel, pack_parts(parts), received_ns, sequence=self._count % 2**32)
        self._count += 1

    def write_truth(self, truth: object) -> None:
        """Keep what is known of the line, as JSON, at the time of the last message.

        Raises:
            RecordingError: it is too large, or the disk doesn't take it.
        """
        self.write_truth_text(json.dumps(truth, sort_keys=True, separators=(",", ":")).encode())

    def write_truth_text(self, data: bytes) -> None:
        """Keep what is JSON already.

        Raises:
            RecordingError: it is too large, or the disk doesn't take it.
        """
        if len(data) > MAX_TRUTH_BYTES:
            raise RecordingError(f"{len(data)} bytes of truth at once: draw shorter coils")
        self._add(self._channel(TRUTH_TOPIC, TRUTH_ENCODING), data, self._last_ns, sequence=0)

    def write_metadata(self, name: str, fields: Mapping[str, str]) -> None:
        """Keep texts by name beside the messages, e.g. versions and settings."""
        with self._disk_errors():
            self._writer.add_metadata(name, dict(fields))

    def sync_when_due(self) -> None:
        """Bring to the disk what has waited long enough; call it when nothing comes in, too."""
        every_s = self._sync_every_s
        if every_s is not None and self._clock() - self._synced_at >= every_s:
            self.sync()

    def sync(self) -> None:
        """End the open chunk and bring all to the disk."""
        with self._disk_errors():
            self._writer.flush()  # type: ignore[no-untyped-call] # mcap leaves it bare
            os.fdatasync(self._file.fileno())
        self._open_chunk_bytes = 0
        self._synced_at = self._clock()

    def _sync_name(self) -> None:
        """Bring the file's name to the disk: a power cut would take all under it as well."""
        if self._sync_every_s is not None:
            self.sync()
            with self._disk_errors():
                _sync_folder(self.path.parent)

    def _add(self, channel: int, data: bytes, log_ns: int, *, sequence: int) -> None:
        size = HEAD.size + MESSAGE_HEAD.size + len(data)
        if self._open_chunk_bytes + size > CHUNK_BYTES:
            self._end_chunk()
        with self._disk_errors():
            self._writer.add_message(
                channel, log_time=log_ns, data=data, publish_time=log_ns, sequence=sequence
            )
        self._last_ns = log_ns
        self._open_chunk_bytes += size
        if self._open_chunk_bytes >= CHUNK_BYTES:
            self._end_chunk()
        self.sync_when_due()

    def _end_chunk(self) -> None:
        if self._sync_every_s is not None:
            self.sync()
            return
        with self._disk_errors():
            self._writer.flush()  # type: ignore[no-untyped-call] # mcap leaves it bare
        self._open_chunk_bytes = 0

    def _frame_channel(self, parts: Sequence[Part]) -> int:
        try:
            topic = f"{FRAMES_TOPIC}/{parse_camera_id(parts[0])}" if parts else FRAMES_TOPIC
        except FrameError:
            topic = FRAMES_TOPIC
        if topic not in self._channels and len(self._channels) >= _MAX_CAMERA_CHANNELS:
            topic = FRAMES_TOPIC
        return self._channel(topic, PARTS_ENCODING)

    def _channel(self, topic: str, encoding: str) -> int:
        if topic not in self._channels:
            number = self._writer.register_channel(topic, encoding, schema_id=0)
            self._channels[topic] = number
        return self._channels[topic]

    def _refuse_existing(self) -> None:
        for path in (self.path, self.part_path):
            if path.exists():
                raise RecordingError(f"{path} is there already: move it away or take another name")

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecordingError(
                f"{self.part_path} can't be written: {error.strerror or error}; "
                "what was written before can still be read"
            ) from error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
