"""Cameras above one strip, that misbehave when they are told to and keep a log of what passed."""

import itertools
import threading
import time
import uuid
import zlib
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Final, Self

import zmq

from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode
from edge_daemon.ingest.endpoint import connect_push
from tests.faults.oracle import Passed, Rows
from tests.soak.schedule import Fault

ROWS, COLUMNS = 256, 1600
MM_PER_ROW = 0.5
ROWS_PER_COIL: Final = 40 * ROWS
_LOST_AT_ONCE = 3
_FLOOD = 40
_BOOT_S = 1.0
_SEND_MS = 1000
_LAST_MS = 120_000
_JOIN_S = 10.0


class Camera:
    """Sends JPEG frames at a pace, and does to them what it is told.

    Args:
        name: its id.
        address: of the daemon.
        pictures: JPEG frames of `ROWS` x `COLUMNS`, sent round and round.
        period_s: from one frame to the next.
    """

    def __init__(
        self, name: str, address: str, *, pictures: Sequence[bytes], period_s: float
    ) -> None:
        self.name = name
        self.frames = 0
        self._address = address
        self._pictures = itertools.cycle(pictures)
        self._period_s = period_s
        self._troubles: deque[Fault] = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)
        self._socket = ExitStack()
        self._row = 0
        self._stream, self._seq = "", 0
        self._unseen: list[Rows] = []
        self._push: zmq.Socket[bytes]

    def __enter__(self) -> Self:
        self._connect()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(_JOIN_S)
        self._socket.close()

    def suffer(self, trouble: Fault) -> None:
        """Misbehave with the next frame."""
        self._troubles.append(trouble)

    def finish(self) -> None:
        """Stop, after a last frame that surely gets into the daemon's hands: it tells the rest."""
        self._stopping.set()
        self._thread.join(_JOIN_S + _LAST_MS / 1000)
        self._push.setsockopt(zmq.SNDTIMEO, _LAST_MS)
        self._push.send_multipart(self._next())
        self.frames += 1

    def passed(self) -> Passed:
        """What has passed it, once it has finished."""
        return Passed(self._row, tuple(self._unseen))

    def _connect(self) -> None:
        self._socket.close()
        self._push = self._socket.enter_context(connect_push(self._address, linger_ms=0))
        self._push.setsockopt(zmq.SNDTIMEO, _SEND_MS)
        self._stream, self._seq = uuid.uuid4().hex, 0

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._stopping.is_set():
            if self._troubles:
                self._misbehave(self._troubles.popleft())
            else:
                self._send(self._next())
            # What was missed isn't made up for: the strip doesn't wait.
            due_s = max(due_s + self._period_s, time.monotonic())
            self._stopping.wait(due_s - time.monotonic())

    def _misbehave(self, trouble: Fault) -> None:
        {
            Fault.RESTART: self._restart,
            Fault.LOST: self._lose,
            Fault.DUPLICATE: self._repeat,
            Fault.REORDERED: self._swap,
            Fault.SPOILT: self._spoil,
            Fault.GARBAGE: self._offer_garbage,
            Fault.FLOOD: self._flood,
        }[trouble]()

    def _restart(self) -> None:
        self._socket.close()
        self._stopping.wait(_BOOT_S)
        self._connect()

    def _lose(self) -> None:
        for _ in range(_LOST_AT_ONCE):
            self._next()
            self._withhold()

    def _repeat(self) -> None:
        frame = self._next()
        if self._send(frame):
            self._offer(frame)

    def _swap(self) -> None:
        # The early one comes behind, unless the other falls into a dying daemon's hands.
        early = self._next()
        self._send(self._next())
        self._offer(early)

    def _spoil(self) -> None:
        camera, header, picture = self._next()
        self._withhold()
        self._offer([camera, header, picture[: len(picture) // 2]])

    def _flood(self) -> None:
        for _ in range(_FLOOD):
            self._send(self._next())

    def _offer_garbage(self) -> None:
        camera, picture = self.name.encode(), b"\xff" * 1000
        for parts in (
            [camera],
            [camera, b"{", picture],
            [camera, b'{"v": 2}', picture],
            [camera, b'{"v": 1, "width": NaN}', picture],
            [camera, b"[" * 4000, picture],
            [b"no/such", b"{}", picture],
            [b"\xff\xfe", b"{}", picture],
            [camera, b"{}", picture, picture, picture],
        ):
            self._offer(parts)

    def _next(self) -> list[bytes]:
        """Take the next frame off the strip; from here on it has passed."""
        picture = next(self._pictures)
        header = FrameHeader(
            v=1,
            stream=self._stream,
            seq=self._seq,
            t_ns=time.time_ns(),
            width=COLUMNS,
            height=ROWS,
            format=PixelFormat.MONO8,
            codec=Codec.JPEG,
            encoder_mm=self._row * MM_PER_ROW,
            coil=f"S{self._row // ROWS_PER_COIL}",
            crc32=zlib.crc32(picture),
        )
        self._seq += 1
        self._row += ROWS
        return [bytes(part) for part in encode(self.name, header, picture)]

    def _withhold(self) -> None:
        """Note that nobody will see the last frame."""
        self._unseen.append((self._row - ROWS, self._row))

    def _send(self, frame: Sequence[bytes]) -> bool:
        """Send the last frame, or drop it where the daemon has no room for it."""
        is_sent = self._offer(frame)
        if is_sent:
            self.frames += 1
        else:
            self._withhold()
        return is_sent

    def _offer(self, parts: Sequence[bytes]) -> bool:
        try:
            self._push.send_multipart(parts)
        except zmq.Again:
            return False
        return True
