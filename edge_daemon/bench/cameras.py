"""`python -m edge_daemon.bench.cameras URL COUNT CODEC`: cameras that send as fast as they may."""

import itertools
import sys
from contextlib import ExitStack

from edge_daemon.bench.frames import draw_strips, header_bytes, header_of, pack
from edge_daemon.core.wire import Codec
from edge_daemon.ingest.endpoint import connect_push

_STRIPS = 20


def main(address: str, count: str, codec: str) -> None:
    """Send frames round by round, one of each camera, until somebody ends it."""
    packing = Codec(codec)
    images = draw_strips(_STRIPS)
    header = header_of(images[0], packing, seq=0, stream="bench")
    payloads = [pack(image, packing) for image in images]
    names = [f"bench-{number}".encode() for number in range(int(count))]
    with ExitStack() as exits:
        sockets = [exits.enter_context(connect_push(address, linger_ms=0)) for _ in names]
        for seq in itertools.count():
            packed, payload = header_bytes(header, seq), payloads[seq % _STRIPS]
            for name, socket in zip(names, sockets, strict=True):
                socket.send_multipart([name, packed, payload], copy=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
