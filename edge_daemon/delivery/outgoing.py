"""A message as it is handed to the connection."""

from dataclasses import dataclass

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish.

    Attributes:
        topic: complete.
        payload: UTF-8 JSON.
        qos: 0 or 1.
        retain: whether the broker keeps it for later subscribers.
        expiry_s: after which a broker that couldn't deliver it drops it; None: never.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expiry_s: int | None = None

    def properties(self, packet: int = PacketTypes.PUBLISH) -> Properties:
        """Return the MQTT 5 properties: what the payload is, how long it is worth sending."""
        properties = blank_properties(packet)
        properties.PayloadFormatIndicator = 1
        properties.ContentType = "application/json"
        if self.expiry_s is not None:
            properties.MessageExpiryInterval = self.expiry_s
        return properties

    def packet_bytes(self) -> int:
        """Return the size of the PUBLISH packet, to hold against the broker's maximum."""
        properties: bytes = self.properties().pack()  # type: ignore[no-untyped-call]  # paho
        packet_id = 2 if self.qos else 0
        rest = 2 + len(self.topic.encode()) + packet_id + len(properties) + len(self.payload)
        length_bytes = 1 + (rest >= 1 << 7) + (rest >= 1 << 14) + (rest >= 1 << 21)
        return 1 + length_bytes + rest


def blank_properties(packet: int) -> Properties:
    """Return properties for a kind of packet, none set."""
    return Properties(packet)  # type: ignore[no-untyped-call]  # paho leaves it untyped
