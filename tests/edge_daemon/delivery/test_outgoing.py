import socket
from queue import SimpleQueue
from typing import Any

import pytest

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.mqtt import Link
from edge_daemon.delivery.outgoing import Outgoing

WILL = Outgoing("edge/test/status", b"{}")
CONNACK = b"\x20\x03\x00\x00\x00"


def size_on_the_wire(message: Outgoing) -> int:
    """Publish to a bare socket and measure what comes."""
    inbox: SimpleQueue[Any] = SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        link = Link(Broker(host="127.0.0.1", port=port, tls=False, root="r"), WILL, inbox)
        link.open()
        taken, _ = server.accept()
        with taken:
            taken.recv(1 << 20)
            taken.sendall(CONNACK)
            inbox.get(timeout=20)
            link.publish(message)
            link.close(with_will=False)
            received = b""
            while chunk := taken.recv(1 << 20):
                received += chunk
    inbox.get(timeout=20)
    return len(received) - 3  # the DISCONNECT behind it: type, length, reason


@pytest.mark.parametrize("payload_bytes", [2, 60, 120, 16_000, 16_400, 70_000])
@pytest.mark.parametrize(("qos", "expiry_s"), [(0, 15), (1, None)])
def test_the_packet_is_as_large_as_was_calculated(
    payload_bytes: int, qos: int, expiry_s: int | None
) -> None:
    message = Outgoing("edge/test/ä", b"x" * payload_bytes, qos=qos, expiry_s=expiry_s)
    assert size_on_the_wire(message) == message.packet_bytes()
