"""What `replay` reads: folders of images, single images and recordings, one frame after the other.

The same input gives the same bytes each time: names, streams and times come from the input alone.

- The images of a folder are photographs that have nothing to do with each other: each is a stream
  of its own, named after its file's name and content. With ``continuous`` they are one stream whose
  rows follow each other, named after the list of files.
- Image number n, counted over all sources, was exposed and received n seconds after 1970.
- A recording gives its messages as they were received, wrong ones too.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from edge_daemon.core.wire import parse_camera_id
from edge_daemon.errors import FrameError, RecordingError, RejectReason, SourceError
from edge_daemon.recordings.images import ImageStream, list_images, printable_name, read_image
from edge_daemon.recordings.recording import count_frames, read_recording

IMAGE_CAMERA = "replay"
RECORDING_ENDINGS = (".mcap", ".mcap.part")
_NS_PER_IMAGE = 1_000_000_000
_DIGEST_CHARS = 24


@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One frame of a source, or what is known of one that can't be read.

    Attributes:
        source: name of the file it came from, without its folder.
        parts: the message as a camera sent it or would have; None where there is none.
        received_ns: when, ns since 1970 UTC.
        error: why there are no parts.
    """

    source: str
    parts: list[bytes] | None
    received_ns: int
    error: FrameError | None = None


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Images of one SOURCE, in order."""

    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """A recording, finished or cut off."""

    path: Path


Source: TypeAlias = ImageFiles | RecordingFile


def open_replay(
    paths: Sequence[Path], *, camera: str = IMAGE_CAMERA, continuous: bool = False
) -> "ReplaySource":
    """Get frames of several sources ready to be iterated.

    Args:
        paths: folders of images, images, recordings.
        camera: id that images get.
        continuous: the images of a folder follow each other on the strip.

    Raises:
        SourceError: a source can't be used at all, or the camera id is none.
    """
    check_camera_id(camera)
    return ReplaySource(sources=find_sources(paths), camera=camera, continuous=continuous)


def check_camera_id(camera: str) -> None:
    """Refuse what no camera may be called.

    Raises:
        SourceError: it isn't 1 to 64 letters, digits, ``_`` or ``-``.
    """
    try:
        parse_camera_id(camera.encode("utf-8", "replace"))
    except FrameError as error:
        raise SourceError(error.detail) from error


def find_sources(paths: Sequence[Path]) -> tuple[Source, ...]:
    """Find out what each SOURCE is; what is in the files is not looked at yet.

    Raises:
        SourceError: one doesn't exist, or is a folder without an image.
    """
    return tuple(_find_source(path) for path in paths)


def _find_source(path: Path) -> Source:
    if path.is_dir():
        return ImageFiles(list_images(path))
    if not os.path.lexists(path):
        raise SourceError(f"{path} doesn't exist: name a folder of images, an image or a recording")
    if path.name.endswith(RECORDING_ENDINGS):
        return RecordingFile(path)
    return ImageFiles((path,))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaySource:
    """Frames of several sources, one source after the other; iterating reads them lazily.

    Attributes:
        sources: what `find_sources` found.
        camera: id that images get.
        continuous: the images of a folder follow each other on the strip.
    """

    sources: tuple[Source, ...]
    camera: str
    continuous: bool

    def count(self) -> int | None:
        """Say how many frames will come, for a progress bar; None where a recording doesn't."""
        counts = [_count(source) for source in self.sources]
        return None if None in counts else sum(count or 0 for count in counts)

    def __iter__(self) -> Iterator[SourceFrame]:
        streams = _StreamNames()
        index = 0
        for source in self.sources:
            match source:
                case RecordingFile(path):
                    yield from _replay_recording(path)
                case ImageFiles(paths):
                    replay = _replay_strip if self.continuous else _replay_photographs
                    yield from replay(paths, self.camera, streams=streams, first=index)
                    index += len(paths)


class _StreamNames:
    """Derives stream ids; what comes a second time is another stream, not a duplicate."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def derive(self, *contents: bytes) -> str:
        digest = hashlib.sha256()
        for content in contents:
            digest.update(len(content).to_bytes(8, "little") + content)
        name = digest.hexdigest()[:_DIGEST_CHARS]
        self._seen[name] += 1
        return name if self._seen[name] == 1 else f"{name}-{self._seen[name]}"


def _replay_photographs(
    paths: Sequence[Path], camera: str, *, streams: _StreamNames, first: int
) -> Iterator[SourceFrame]:
    for index, path in enumerate(paths, first):
        name, t_ns = printable_name(path), index * _NS_PER_IMAGE
        try:
            image = read_image(path)
        except FrameError as error:
            yield SourceFrame(name, None, t_ns, error)
        else:
            stream = ImageStream(camera, streams.derive(os.fsencode(path.name), image.payload))
            yield SourceFrame(name, stream.send(image, t_ns), t_ns)


def _replay_strip(
    paths: Sequence[Path], camera: str, *, streams: _StreamNames, first: int
) -> Iterator[SourceFrame]:
    stream = ImageStream(camera, streams.derive(*(os.fsencode(path.name) for path in paths)))
    for index, path in enumerate(paths, first):
        name, t_ns = printable_name(path), index * _NS_PER_IMAGE
        try:
            image = read_image(path)
        except FrameError as error:
            stream.miss()
            yield SourceFrame(name, None, t_ns, error)
        else:
            yield SourceFrame(name, stream.send(image, t_ns), t_ns)


def _replay_recording(path: Path) -> Iterator[SourceFrame]:
    name, received_ns = printable_name(path), 0
    try:
        for message in read_recording(path):
            received_ns = message.received_ns
            yield SourceFrame(name, message.parts, received_ns)
    except RecordingError as error:
        unreadable = FrameError(RejectReason.UNREADABLE, str(error))
        yield SourceFrame(name, None, received_ns, unreadable)


def _count(source: Source) -> int | None:
    if isinstance(source, ImageFiles):
        return len(source.paths)
    try:
        return count_frames(source.path)
    except RecordingError:
        return None
