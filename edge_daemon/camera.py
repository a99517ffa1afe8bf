"""Plays images or a recording to a daemon as a camera would: it drops and counts."""

import json
import math
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import zmq

from edge_daemon.clock import Clock
from edge_daemon.errors import EndpointError, FrameError, RecordingError, SourceError
from edge_daemon.ingest.endpoint import PushSocket, connect_push
from edge_daemon.ingest.keys import Login
from edge_daemon.recordings.images import ImageStream, read_image
from edge_daemon.recordings.recording import read_recording
from edge_daemon.recordings.sources import (
    ImageFiles,
    RecordingFile,
    Source,
    check_camera_id,
    find_sources,
)

IMAGE_CAMERA = "camera-1"
LINGER_MS = 2000
_POLL_MS = 100
_MS_PER_S = 1000
_NS_PER_S = 1_000_000_000
_IMAGE_GAP_NS = _NS_PER_S // 10
_CATCH_UP_NS = _NS_PER_S
_STREAM_CHARS = 64


@dataclass(frozen=True, slots=True)
class PlaySettings:
    """How to play.

    Attributes:
        camera: id to play as; None keeps a recording's own.
        fps: frames per second; None keeps the recorded pace, and images come ten a second.
        speed: times the recorded pace, None for as fast as possible; `fps` goes before it.
        loop: begin again at the end, as a camera that was restarted: with a new stream.
        wait: wait for a daemon that doesn't keep up instead of dropping.
        patience_s: how long to wait for a daemon to appear, and with `wait` for it to take a frame.
        login: keys, for a daemon that asks for them.
    """

    camera: str | None = None
    fps: float | None = None
    speed: float | None = 1.0
    loop: bool = False
    wait: bool = False
    patience_s: float = 10.0
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class PlaySummary:
    """What became of the frames.

    Attributes:
        sent: handed to ZeroMQ while a daemon was connected.
        dropped: left out because the daemon didn't keep up or was gone.
        unreadable: files or parts of a recording that can't be read.
    """

    sent: int = 0
    dropped: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class _Shot:
    """A message, None where it can't be read, and the time since the one before it."""

    parts: list[bytes] | None
    gap_ns: int


def play(
    paths: Sequence[Path],
    address: str,
    *,
    settings: PlaySettings,
    stop: threading.Event,
    clock: Clock,
    progress: Callable[[PlaySummary], None] | None = None,
) -> PlaySummary:
    """Send the frames of some sources, one source after the other.

    Args:
        paths: folders of images, images, recordings.
        address: where the daemon listens, ``tcp://HOST:PORT`` or ``ipc://PATH``.
        settings: how to play.
        stop: set it from outside to end early.
        clock: for the pace, and for the time at which images were exposed.
        progress: called after every frame.

    Raises:
        SourceError: a source or a setting can't be used, or nothing in the sources can be read.
        EndpointError: the address is none, or no daemon took frames there in time.
    """
    _check(settings)
    sources = find_sources(paths)
    summary = PlaySummary()
    with connect_push(address, linger_ms=LINGER_MS, login=settings.login) as socket:
        sender = _Sender(socket, address, settings=settings, stop=stop)
        pace = _Pace(settings, stop=stop, clock=clock)
        sender.await_daemon()
        for turn in count():
            for shot in _shots(sources, settings.camera, turn=turn, clock=clock):
                if not pace.keep(shot.gap_ns):
                    return summary
                summary = sender.send(shot.parts, summary)
                if progress is not None:
                    progress(summary)
            if summary.sent + summary.dropped == 0:
                raise SourceError(f"nothing to play: no frame in {paths[0]} can be read")
            if not settings.loop:
                return summary
    return summary


def _check(settings: PlaySettings) -> None:
    if settings.camera is not None:
        check_camera_id(settings.camera)
    for name, value in (("fps", settings.fps), ("speed", settings.speed)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise SourceError(f"{name} has to be a number above 0, got {value}")


class _Pace:
    """Says when the next frame is due; after a hold-up it makes good a second at most."""

    def __init__(self, settings: PlaySettings, *, stop: threading.Event, clock: Clock) -> None:
        self._fps = settings.fps
        self._speed = settings.speed
        self._stop = stop
        self._clock = clock
        self._due_ns: float | None = None

    def keep(self, gap_ns: int) -> bool:
        """Wait until the next frame is due; False when it was told to stop."""
        now_ns = self._clock.monotonic_ns()
        if self._due_ns is None:
            self._due_ns = now_ns
        else:
            self._due_ns = max(self._due_ns + self._scaled_ns(gap_ns), now_ns - _CATCH_UP_NS)
        wait_s = max(0.0, self._due_ns - now_ns) / _NS_PER_S
        return not self._stop.wait(min(wait_s, threading.TIMEOUT_MAX))

    def _scaled_ns(self, gap_ns: int) -> float:
        if self._fps is not None:
            return _NS_PER_S / self._fps
        return gap_ns / self._speed if self._speed is not None else 0.0


class _Sender:
    """Puts messages on the socket by the stated policy."""

    def __init__(
        self, socket: PushSocket, address: str, *, settings: PlaySettings, stop: threading.Event
    ) -> None:
        self._socket = socket
        self._address = address
        self._settings = settings
        self._stop = stop

    def await_daemon(self) -> None:
        """Wait until a frame would be taken, or it was told to stop.

        Raises:
            EndpointError: nobody takes one within the patience.
        """
        patience_ms = self._settings.patience_s * _MS_PER_S
        waited_ms = 0
        while not self._stop.is_set() and not self._socket.poll(_POLL_MS, zmq.POLLOUT):
            waited_ms += _POLL_MS
            if waited_ms >= patience_ms:
                raise EndpointError(
                    f"no daemon took a frame at {self._address} within "
                    f"{self._settings.patience_s:g} s: is it running, is this its [ingest] bind, "
                    f"and {self._question_of_keys()}?"
                )

    def _question_of_keys(self) -> str:
        login = self._settings.login
        if login is None:
            return "does it ask for a key (--secret-key, --server-key)"
        return (
            f"has it a [[camera]] with public_key = {login.own.public!r}, and the key "
            f"{login.daemon!r} itself"
        )

    def send(self, parts: list[bytes] | None, summary: PlaySummary) -> PlaySummary:
        """Send a message or drop it, and count what was done."""
        if not parts:
            return replace(summary, unreadable=summary.unreadable + 1)
        if self._settings.wait:
            self.await_daemon()
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK)
        except zmq.Again:
            return replace(summary, dropped=summary.dropped + 1)
        return replace(summary, sent=summary.sent + 1)


def _shots(
    sources: Sequence[Source], camera: str | None, *, turn: int, clock: Clock
) -> Iterator[_Shot]:
    """The messages of one turn through all sources."""
    token = secrets.token_hex(8)
    images = ImageStream(camera or IMAGE_CAMERA, token, checksum=True)
    for source in sources:
        match source:
            case ImageFiles(paths):
                for path in paths:
                    yield _Shot(_image(path, images, clock), _IMAGE_GAP_NS)
            case RecordingFile(path):
                for parts, gap_ns in _recorded(path):
                    if parts and camera is not None:
                        parts[0] = camera.encode()
                    if parts and turn > 0:
                        parts[1:2] = [_with_new_stream(part, token) for part in parts[1:2]]
                    yield _Shot(parts, gap_ns)


def _image(path: Path, images: ImageStream, clock: Clock) -> list[bytes] | None:
    try:
        image = read_image(path)
    except FrameError:
        images.miss()
        return None
    return images.send(image, clock.now_ns())


def _recorded(path: Path) -> Iterator[tuple[list[bytes] | None, int]]:
    """Messages and the time since the one before; what is damaged counts as one unreadable."""
    before_ns = None
    try:
        for message in read_recording(path):
            gap_ns = _IMAGE_GAP_NS if before_ns is None else message.received_ns - before_ns
            before_ns = message.received_ns
            yield message.parts, max(0, gap_ns)
    except RecordingError:
        yield None, 0


def _with_new_stream(header: bytes, token: str) -> bytes:
    """A header under another stream id; one that can't be read stays as wrong as it was."""
    try:
        fields = json.loads(header)
    except (ValueError, RecursionError):
        return header
    if not isinstance(fields, dict) or not isinstance(fields.get("stream"), str):
        return header
    fields["stream"] = f"{fields['stream'][:_STREAM_CHARS]}-{token}"
    return json.dumps(fields, separators=(",", ":")).encode()
