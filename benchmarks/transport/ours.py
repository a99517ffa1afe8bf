"""Our way: PUSH by the wire contract, and the daemon's receiving end without a network.

`receive` is all that stands for the daemon here.
"""

import time
import zlib
from functools import partial

from benchmarks.transport.frames import Dispatch, Meter
from benchmarks.transport.way import PATIENCE_S, Held, Opened, Way
from edge_daemon.clock import SystemClock
from edge_daemon.core.pixels import GreyImage, decode
from edge_daemon.core.wire import Codec, FrameHeader, PixelFormat, encode, parse
from edge_daemon.ingest.backlog import Backlog
from edge_daemon.ingest.endpoint import connect_push
from edge_daemon.ingest.receiver import Receiver
from edge_daemon.settings import Config

CAMERA = "camera-1"
LINGER_MS = 2000


def receive(address: str, meter: Meter, *, opened: Opened) -> None:
    """Receiver's thread, backlog, header checked, pixels unpacked: as the daemon has it set up."""
    settings, clock = Config().ingest, SystemClock()
    backlog = Backlog(
        settings.drop_policy,
        frames=settings.queue_frames,
        max_bytes=settings.queue_mib * 2**20,
        max_age_s=settings.max_age_s,
        clock=clock,
    )
    receiver = Receiver(
        [address],
        backlog,
        clock=clock,
        beat=lambda: None,
        max_payload_bytes=settings.max_payload_mib * 2**20,
    )
    with receiver:
        opened()
        while (message := backlog.take(PATIENCE_S)) is not None:
            if not meter.saw(decode(parse(message.parts))):
                return


def send(address: str, dispatch: Dispatch, *, held: Held, checksum: bool = False) -> None:
    """A camera that sends without a copy and waits when the daemon is behind.

    With `checksum` it adds the CRC-32 that the contract allows for, and the daemon checks it.
    """
    with connect_push(address, linger_ms=LINGER_MS) as socket:
        for seq, image in enumerate(dispatch.images()):
            parts = encode(CAMERA, _header(seq, image, checksum=checksum), image.data)
            socket.send_multipart(parts, copy=False)
        held()


def _header(seq: int, image: GreyImage, *, checksum: bool) -> FrameHeader:
    height_px, width_px = image.shape
    return FrameHeader(
        v=1,
        stream="benchmark",
        seq=seq,
        t_ns=time.time_ns(),
        width=width_px,
        height=height_px,
        format=PixelFormat.MONO8,
        codec=Codec.RAW,
        crc32=zlib.crc32(image.data) if checksum else None,
    )


OURS = Way("edge-daemon", send, receive)
CHECKED = Way("edge-daemon with CRC-32", partial(send, checksum=True), receive)
