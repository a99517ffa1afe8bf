"""Publishing with paho-mqtt: one `Link` is one connection to the broker.

paho keeps messages of its own, sends them again after a reconnect, goes on saying "connected" when
its thread has died, and takes a refusal for a delivery. So nothing of paho outlives a connection:
a link connects once, and when it is closed, for whatever reason, the next one is a new client with
empty hands. What has to be sent is known by the outbox alone. paho's callbacks run on paho's
thread, inside its locks; they only put an event into the inbox of the thread that owns the link.
"""

import contextlib
import socket
import ssl
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final, TypeAlias

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.identity import identify
from edge_daemon.delivery.outgoing import Outgoing, blank_properties
from edge_daemon.delivery.trouble import hung_up, in_words
from edge_daemon.errors import ConfigurationError

SUCCESS: Final = 0x00
NO_SUBSCRIBERS: Final = 0x10

_CLOSED_BY_US: Final = "closed by us"
_DISCONNECT_WITH_WILL: Final = 0x04
_KEEPALIVE_S: Final = 10
_RECEIVE_MAXIMUM: Final = 65535
_PACKET_MAXIMUM: Final = 268_435_455 + 5


@dataclass(frozen=True, slots=True)
class Connected:
    """The broker has accepted the link.

    Attributes:
        link: which.
        receive_maximum: QoS 1 messages that the broker wants in flight at most.
        packet_maximum: bytes of the largest packet that it takes.
    """

    link: "Link"
    receive_maximum: int
    packet_maximum: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The broker has answered a message; only the code tells whether it took it.

    Attributes:
        link: over which.
        mid: packet id that `Link.publish` returned.
        code: MQTT 5 reason code; below 0x80 is success.
        reason: the same in words.
    """

    link: "Link"
    mid: int
    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The link is over and its thread at its end, whatever the cause.

    Attributes:
        link: which.
        reason: in words.
        code: reason code of the broker's DISCONNECT or CONNACK, or paho's for what it saw; None
            where there is none.
    """

    link: "Link"
    reason: str
    code: int | None


LinkEvent: TypeAlias = Connected | Acknowledged | Closed


class _Client(paho.Client):
    """A paho client whose thread says when it ends.

    `loop_start` runs `loop_forever` on the thread, and nothing else; this is the one place that is
    passed however the thread ends, an exception out of paho included.
    """

    link: "Link"

    def loop_forever(
        self,
        timeout: float = 1.0,
        retry_first_connection: bool = False,  # noqa: FBT001, FBT002 - paho's signature
    ) -> MQTTErrorCode:
        """Serve one connection, then report its end."""
        del retry_first_connection
        try:
            return super().loop_forever(timeout, retry_first_connection=False)
        except (OSError, ValueError) as error:
            self.link.note_end(in_words(error))
            return MQTTErrorCode.MQTT_ERR_CONN_LOST
        finally:
            # Still open where an exception ended the thread.
            _cut(self.socket())
            self.link.report_end()


class Link:
    """One connection to the broker, from `open` to the event `Closed`, which always comes.

    Args:
        broker: where to.
        will: published by the broker if the link ends without a `close`.
        inbox: gets the link's events.
    """

    def __init__(self, broker: Broker, will: Outgoing, inbox: SimpleQueue[Any]) -> None:
        self._broker = broker
        self._will = will
        self._inbox = inbox
        self._client: _Client | None = None
        # Written by paho's thread, read by it at its end: no lock.
        self._end_reason = _CLOSED_BY_US
        self._accepted = False
        self._end_code: int | None = None
        # Set by the owner, read by paho's thread, which may be about to connect just then.
        self._aborted = False

    def open(self) -> None:
        """Start connecting, on a thread of its own; returns at once."""
        try:
            client = self._make_client()
        except (ConfigurationError, OSError, ValueError) as error:
            self.note_end(f"can't prepare the connection: {error}")
            self.report_end()
            return
        self._client = client
        client.loop_start()

    def publish(self, message: Outgoing) -> int:
        """Hand a message to the connection; return the packet id that its answer will carry."""
        if self._client is None:
            raise ValueError("publish on a link that was never opened")
        info = self._client.publish(
            message.topic,
            message.payload,
            qos=message.qos,
            retain=message.retain,
            properties=message.properties(),
        )
        return info.mid

    def abort(self, reason: str) -> None:
        """Cut the connection; the broker then publishes the will."""
        self._end_reason = reason
        self._aborted = True
        if self._client is not None:
            _cut(self._client.socket())

    def close(self, *, with_will: bool) -> None:
        """Take leave of the broker.

        Args:
            with_will: let it publish the will nevertheless.
        """
        if self._client is None:
            return
        code = _DISCONNECT_WITH_WILL if with_will else SUCCESS
        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, identifier=code))

    def release(self) -> None:
        """Let go of paho's client; the owner calls it once it knows of the end.

        Else the two would keep each other, and with them two sockets, until Python looks for
        circles.
        """
        self._client = None

    def note_end(self, reason: str, code: int | None = None) -> None:
        """Remember why the connection ends; called on the link's thread."""
        self._end_reason, self._end_code = reason, code

    def report_end(self) -> None:
        """Tell the owner that nothing more will come; called once, last."""
        self._inbox.put(Closed(self, self._end_reason, self._end_code))

    def _make_client(self) -> _Client:
        broker = self._broker
        client = _Client(
            CallbackAPIVersion.VERSION2,
            client_id=broker.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.link = self
        client.suppress_exceptions = True
        client.max_inflight_messages_set(_RECEIVE_MAXIMUM)
        client.on_socket_open = self._on_socket_open
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        will = self._will
        client.will_set(
            will.topic,
            will.payload,
            qos=will.qos,
            retain=will.retain,
            properties=will.properties(PacketTypes.WILLMESSAGE),
        )
        identify(client, broker, on_trouble=self._on_trouble)
        connect = blank_properties(PacketTypes.CONNECT)
        connect.SessionExpiryInterval = 0
        client.connect_async(
            broker.host, broker.port, _KEEPALIVE_S, clean_start=True, properties=connect
        )
        return client

    def _on_socket_open(self, _client: paho.Client, _userdata: object, opened: object) -> None:
        if self._aborted:
            _cut(opened)

    def _on_connect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self.note_end(f"the broker refused the connection: {code}", code.value)
            return
        self._accepted = True
        self._inbox.put(
            Connected(
                self,
                receive_maximum=getattr(properties, "ReceiveMaximum", _RECEIVE_MAXIMUM),
                packet_maximum=getattr(properties, "MaximumPacketSize", _PACKET_MAXIMUM),
            )
        )

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        flags: paho.DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if flags.is_disconnect_packet_from_server:
            self.note_end(f"the broker closed the connection: {code}", code.value)
        elif code.is_failure and self._end_reason == _CLOSED_BY_US:
            if not self._accepted:
                self.note_end(hung_up(tls=self._broker.tls))
                return
            # The code is paho's own: 0x82 where it couldn't make sense of what the broker sent.
            self.note_end(
                f"the connection was lost: {code} (again and again? Another station may have the"
                f" root {self._broker.root})",
                code.value,
            )

    def _on_trouble(self, error: ssl.SSLError) -> None:
        if self._end_reason == _CLOSED_BY_US:
            self.note_end(in_words(error))

    def _on_publish(
        self,
        _client: paho.Client,
        _userdata: object,
        mid: int,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._inbox.put(Acknowledged(self, mid, code.value, str(code)))


def _cut(connection: object) -> None:
    if isinstance(connection, socket.socket):
        # Wakes paho's thread even where the peer is silent; it then closes the socket itself.
        with contextlib.suppress(OSError, ValueError):
            connection.shutdown(socket.SHUT_RDWR)
