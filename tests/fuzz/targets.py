"""What is fuzzed: each target takes any bytes and raises only where the code under test is wrong.

Errors that the contract allows are the code's answer and end in a target; everything else is a
finding, and so is an answer that breaks an invariant.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from pydantic import ValidationError

from edge_daemon.config import load_config
from edge_daemon.core.pixels import compressed_size, decode, grey_from_file
from edge_daemon.core.wire import (
    MAX_SIDE_PX,
    Codec,
    Frame,
    FrameHeader,
    PixelFormat,
    encode,
    parse,
    parse_header,
    parse_placed,
)
from edge_daemon.errors import ConfigurationError, FrameError, RecordingError
from edge_daemon.inference.manifest import Manifest
from edge_daemon.recordings.parts import pack_parts, unpack_parts
from edge_daemon.recordings.recording import (
    count_frames,
    read_metadata,
    read_recording,
    read_truth,
)

Target: TypeAlias = Callable[[bytes], None]

_LARGEST_PX = 2**20
"""Larger pictures are right too, but slow to fuzz."""
_MOST_MESSAGES = 1000
_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder in it, gone after each input


def header(data: bytes) -> None:
    """A header is refused, or means the same once written and read again."""
    try:
        read = parse_header(data)
    except FrameError as error:
        _is_fit_for_a_log(error)
        return
    again = encode("camera", read, b"")[1]
    if parse_header(again) != read:
        raise AssertionError(f"{data!r} is read as {read!r}, written as {bytes(again)!r}")


def message(data: bytes) -> None:
    """Parts, each up to a 0xFF byte that UTF-8 doesn't have: refused, or placed as they say."""
    parts = data.split(b"\xff")
    try:
        placed = parse_placed(parts)
    except FrameError as error:
        _is_fit_for_a_log(error)
        return
    if placed.fault is None and placed != parse(parts):
        raise AssertionError("without a fault, a frame is what it is parsed as")
    if placed.header.height < 1 or placed.header.top_line < 0:
        raise AssertionError(f"no place: {placed.header!r}")


def jpeg(data: bytes) -> None:
    """A JPEG is refused or has the size that it announces."""
    _codec(data, Codec.JPEG)


def png(data: bytes) -> None:
    """A PNG is refused or has the size that it announces."""
    _codec(data, Codec.PNG)


def image(data: bytes) -> None:
    """Any image file that OpenCV knows is refused or becomes grey."""
    try:
        grey = grey_from_file(data)
    except FrameError as error:
        _is_fit_for_a_log(error)
        return
    if grey.ndim != 2 or grey.dtype != "uint8":
        raise AssertionError(f"{grey.dtype} {grey.shape} is no grey picture")


def recording(data: bytes) -> None:
    """A recording gives what is whole of it and says what isn't."""
    with _as_file(data) as path:
        for read in (read_recording, read_truth):
            with contextlib.suppress(RecordingError):
                for _ in itertools.islice(read(path), _MOST_MESSAGES):
                    pass
        with contextlib.suppress(RecordingError):
            read_metadata(path)
        with contextlib.suppress(RecordingError):
            count_frames(path)


def parts(data: bytes) -> None:
    """A recorded message is refused or packs to the very bytes that it was read from."""
    try:
        read = unpack_parts(data)
    except RecordingError:
        return
    if pack_parts(read) != data:
        raise AssertionError("packed again, it is something else")


def bundle(data: bytes) -> None:
    """A manifest is refused or means the same once written and read again."""
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError:
        return
    if Manifest.model_validate_json(manifest.model_dump_json(by_alias=True)) != manifest:
        raise AssertionError("written again, it is another manifest")


def config(data: bytes) -> None:
    """A configuration is refused in words or used."""
    with _as_file(data) as path:
        try:
            load_config(path, {})
        except ConfigurationError as error:
            if not str(error):
                raise AssertionError("refused without a word") from error


TARGETS: Mapping[str, Target] = {
    "header": header,
    "message": message,
    "jpeg": jpeg,
    "png": png,
    "image": image,
    "recording": recording,
    "parts": parts,
    "bundle": bundle,
    "config": config,
}


def _codec(data: bytes, codec: Codec) -> None:
    try:
        width, height = compressed_size(data, codec)
        if not 0 < width * height <= _LARGEST_PX or max(width, height) > MAX_SIDE_PX:
            return
        decoded = decode(_frame(data, codec, width=width, height=height))
    except FrameError as error:
        _is_fit_for_a_log(error)
        return
    if decoded.shape != (height, width):
        raise AssertionError(f"{decoded.shape} isn't {height} x {width}")


def _frame(data: bytes, codec: Codec, *, width: int, height: int) -> Frame:
    header = FrameHeader(
        v=1,
        stream="s",
        seq=0,
        t_ns=0,
        width=width,
        height=height,
        format=PixelFormat.MONO8,
        codec=codec,
    )
    return Frame("camera", header, memoryview(data))


def _is_fit_for_a_log(error: FrameError) -> None:
    if len(str(error).encode()) > 2000:
        raise AssertionError(f"a complaint of {len(str(error))} characters")


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        path = Path(folder) / "fuzzed.mcap"
        path.write_bytes(data)
        yield path
