"""savant_rs: its ZeroMQ writers and readers, a VideoFrame message with the pixels beside it.

Dealer to router, its default, which waits when the reader is behind. The pixels are the message's
extra part, as Savant's own adapters send them; the sender has them as bytes already, which is what
it takes.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeAlias

import numpy as np
from savant_rs.primitives import VideoFrame, VideoFrameContent
from savant_rs.utils.serialization import Message
from savant_rs.zmq import (
    BlockingReader,
    BlockingWriter,
    NonBlockingReader,
    NonBlockingWriter,
    ReaderConfigBuilder,
    ReaderResultMessage,
    WriterConfigBuilder,
)

from benchmarks.transport.frames import Dispatch, Meter
from benchmarks.transport.way import PATIENCE_S, Held, Opened, Way
from edge_daemon.core.pixels import GreyImage
from edge_daemon.ingest.endpoint import RECEIVE_HIGH_WATER, SEND_HIGH_WATER

SOURCE: Final = "camera-1"
FRAME_RATE: Final = "30/1"
CONTENT_METHOD: Final = "zeromq"
MS_PER_S: Final = 1000
POLL_S: Final = 0.0001

Reader: TypeAlias = Any
Receipt: TypeAlias = Any


@dataclass(frozen=True, slots=True)
class HighWater:
    """Messages that each end's ZeroMQ socket may hold."""

    send: int
    receive: int


AS_OURS: Final = HighWater(SEND_HIGH_WATER, RECEIVE_HIGH_WATER)
ITS_OWN: Final = HighWater(50, 50)


def receive_blocking(address: str, meter: Meter, *, opened: Opened, high_water: HighWater) -> None:
    """Its BlockingReader, which gives the GIL back while it waits."""
    reader = BlockingReader(_reader_config(address, high_water))
    _receive(reader, reader.receive, meter, opened=opened)


def receive_polled(address: str, meter: Meter, *, opened: Opened, high_water: HighWater) -> None:
    """Its NonBlockingReader, whose own thread reads ahead; asked again after a short sleep."""
    reader = NonBlockingReader(_reader_config(address, high_water), high_water.receive)
    _receive(reader, partial(_poll, reader), meter, opened=opened)


def send_blocking(address: str, dispatch: Dispatch, *, held: Held, high_water: HighWater) -> None:
    """Its BlockingWriter."""
    writer = BlockingWriter(_writer_config(address, high_water))
    writer.start()
    for message, pixels in _messages(dispatch):
        writer.send_message(SOURCE, message, pixels)
    held()
    writer.shutdown()


def send_queued(address: str, dispatch: Dispatch, *, held: Held, high_water: HighWater) -> None:
    """Its NonBlockingWriter, which hands over to a thread and waits when that has its fill."""
    writer = NonBlockingWriter(_writer_config(address, high_water), high_water.send)
    writer.start()
    for message, pixels in _messages(dispatch):
        writer.send_message(SOURCE, message, pixels)
    held()
    writer.shutdown()


def _receive(reader: Reader, take: Callable[[], object], meter: Meter, *, opened: Opened) -> None:
    reader.start()
    opened()
    while isinstance(result := take(), ReaderResultMessage):
        if not meter.saw(_image(result)):
            break
    reader.shutdown()


def _image(result: Any) -> GreyImage:  # noqa: ANN401 - untyped: its stubs don't know the class
    frame = result.message.as_video_frame()
    pixels = np.frombuffer(result.data(0), np.uint8)
    return pixels.reshape(frame.height, frame.width)


def _poll(reader: Reader) -> object:
    deadline_s = time.monotonic() + PATIENCE_S
    while (result := reader.try_receive()) is None and time.monotonic() < deadline_s:
        time.sleep(POLL_S)
    return result


def _messages(dispatch: Dispatch) -> Iterator[tuple[Message, bytes]]:
    for number, pixels in enumerate(dispatch.packed()):
        frame = VideoFrame(
            SOURCE,
            FRAME_RATE,
            dispatch.plan.width_px,
            dispatch.plan.height_px,
            VideoFrameContent.external(CONTENT_METHOD, None),
            pts=number,
        )
        yield Message.video_frame(frame), pixels


def _reader_config(address: str, high_water: HighWater) -> Receipt:
    builder = ReaderConfigBuilder(f"router+bind:{address}")
    builder.with_receive_hwm(high_water.receive)
    builder.with_receive_timeout(int(PATIENCE_S * MS_PER_S))
    return builder.build()


def _writer_config(address: str, high_water: HighWater) -> Receipt:
    builder = WriterConfigBuilder(f"dealer+connect:{address}")
    builder.with_send_hwm(high_water.send)
    return builder.build()


def _way(name: str, send: Any, receive: Any, high_water: HighWater) -> Way:  # noqa: ANN401 - partials
    mark = f"{high_water.send}/{high_water.receive}"
    return Way(
        f"savant_rs {name}, HWM {mark}",
        partial(send, high_water=high_water),
        partial(receive, high_water=high_water),
    )


WAYS: Final = (
    _way("blocking", send_blocking, receive_blocking, AS_OURS),
    _way("blocking", send_blocking, receive_blocking, ITS_OWN),
    _way("non-blocking", send_queued, receive_polled, ITS_OWN),
)
