"""imagezmq: PUB/SUB, its faster pattern, and REQ/REP, its default.

PUB/SUB loses what a slow receiver has no room for. Its sockets keep ZeroMQ's own high water of 1000
messages each way, which the package gives no means to change: a passage is shorter than that, so
nothing should be lost, and what is lost is said.
"""

import time
from typing import Final

import imagezmq
import zmq

from benchmarks.transport.frames import Dispatch, Meter
from benchmarks.transport.way import PATIENCE_S, Held, Opened, Way

CAMERA: Final = "camera-1"
MS_PER_S: Final = 1000
SUBSCRIBING_S: Final = 1.0
"""A publisher's first messages are lost until the subscription has reached it."""


def receive_published(address: str, meter: Meter, *, opened: Opened) -> None:
    """ImageHub as a subscriber."""
    with _hub(address, answers=False) as hub:
        opened()
        _receive(hub, meter, answers=False)


def receive_asked(address: str, meter: Meter, *, opened: Opened) -> None:
    """ImageHub that answers every image."""
    with _hub(address, answers=True) as hub:
        opened()
        _receive(hub, meter, answers=True)


def send_published(address: str, dispatch: Dispatch, *, held: Held) -> None:
    """ImageSender as a publisher."""
    with _sender(address, waits=False) as sender:
        time.sleep(SUBSCRIBING_S)
        _send(sender, dispatch)
        held()


def send_asking(address: str, dispatch: Dispatch, *, held: Held) -> None:
    """ImageSender that waits for an answer to every image."""
    with _sender(address, waits=True) as sender:
        _send(sender, dispatch)
        held()


def _receive(hub: imagezmq.ImageHub, meter: Meter, *, answers: bool) -> None:
    expects_more = True
    while expects_more:
        try:
            _, image = hub.recv_image()
        except zmq.Again:  # nothing for as long as its patience
            return
        if answers:
            hub.send_reply(b"OK")  # before looking, so that the next image is on its way meanwhile
        expects_more = meter.saw(image)


def _send(sender: imagezmq.ImageSender, dispatch: Dispatch) -> None:
    for image in dispatch.images():
        sender.send_image(CAMERA, image)


def _hub(address: str, *, answers: bool) -> imagezmq.ImageHub:
    hub = imagezmq.ImageHub(open_port=address, REQ_REP=answers)
    hub.zmq_socket.setsockopt(zmq.RCVTIMEO, int(PATIENCE_S * MS_PER_S))
    return hub


def _sender(address: str, *, waits: bool) -> imagezmq.ImageSender:
    sender = imagezmq.ImageSender(connect_to=address, REQ_REP=waits)
    sender.zmq_socket.setsockopt(zmq.LINGER, 0)  # else it would wait for ever for a lost receiver
    return sender


WAYS: Final = (
    Way("imagezmq PUB/SUB", send_published, receive_published),
    Way("imagezmq REQ/REP", send_asking, receive_asked),
)
