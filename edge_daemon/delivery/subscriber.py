"""Following the topics, as a subscriber in the plant would."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.mqtt import identify
from edge_daemon.errors import ConfigurationError

_KEEPALIVE_S: Final = 10
_JOIN_S: Final = 6.0


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came in.

    Attributes:
        topic: complete.
        payload: as sent.
        retained: whether it is an old one that the broker had kept.
    """

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The connection came or went.

    Attributes:
        connected: whether the subscription stands.
        detail: why not, in words.
    """

    connected: bool
    detail: str = ""


class Subscriber:
    """A connection that subscribes to everything below the broker's root; it comes back by itself.

    Nothing is promised for the time in which it was away: a watcher is told that, by `LinkChanged`.

    Args:
        broker: where to, and below which root.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._events: SimpleQueue[Received | LinkChanged] = SimpleQueue()
        self._client: paho.Client | None = None

    def __enter__(self) -> Self:
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.suppress_exceptions = True
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        try:
            identify(client, self._broker)
        except OSError as error:
            raise ConfigurationError(f"{self._broker.host}: {error}") from error
        client.reconnect_delay_set(1, 5)
        client.connect_async(self._broker.host, self._broker.port, _KEEPALIVE_S, clean_start=True)
        client.loop_start()
        self._client = client
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.disconnect()
            # Joins the thread; apart, so that a connection attempt under way can't hold us up.
            stopping = threading.Thread(target=self._client.loop_stop, daemon=True)
            stopping.start()
            stopping.join(_JOIN_S)

    def events(self, idle_s: float | None = None) -> Iterator[Received | LinkChanged]:
        """Yield what comes in; end after `idle_s` without anything, never where it is None."""
        while True:
            try:
                yield self._events.get(timeout=idle_s)
            except Empty:
                return

    def _on_connect(
        self,
        client: paho.Client,
        _userdata: object,
        _flags: paho.ConnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self._events.put(LinkChanged(connected=False, detail=f"refused: {code}"))
        else:
            client.subscribe(f"{self._broker.root}/#", qos=1)

    def _on_subscribe(
        self,
        _client: paho.Client,
        _userdata: object,
        _mid: int,
        codes: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        self._events.put(LinkChanged(connected=not refused, detail=", ".join(refused)))

    def _on_disconnect(
        self,
        _client: paho.Client,
        _userdata: object,
        _flags: paho.DisconnectFlags,
        code: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._events.put(LinkChanged(connected=False, detail=str(code)))

    def _on_connect_fail(self, _client: paho.Client, _userdata: object) -> None:
        place = f"{self._broker.host}:{self._broker.port}"
        self._events.put(LinkChanged(connected=False, detail=f"nobody answers at {place}"))

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        self._events.put(Received(message.topic, bytes(message.payload), message.retain))
