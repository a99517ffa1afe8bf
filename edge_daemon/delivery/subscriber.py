"""Following the topics, as a subscriber in the plant would."""

import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Final, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.identity import identify
from edge_daemon.delivery.trouble import hung_up, in_words

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


class _Client(paho.Client):
    """A paho client that remembers why it couldn't connect, which paho tells nobody."""

    trouble: OSError | None = None

    def reconnect(self) -> MQTTErrorCode:
        """Connect, or remember why not."""
        try:
            return super().reconnect()
        except OSError as error:
            self.trouble = error
            raise


class Subscriber:
    """A connection that subscribes to everything below the broker's root; it comes back by itself.

    Nothing is promised for the time in which it was away: a watcher is told that, by `LinkChanged`.

    Args:
        broker: where to, and below which root.
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._events: SimpleQueue[Received | LinkChanged] = SimpleQueue()
        self._client: _Client | None = None
        self._complaint: str | None = None
        self._answered = False

    def __enter__(self) -> Self:
        """Start to connect.

        Raises:
            ConfigurationError: a file of ours can't be read or isn't what it should be.
        """
        client = _Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        client.suppress_exceptions = True
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        identify(client, self._broker, on_trouble=self._on_trouble)
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
            left_open = self._client.socket()
            if left_open is not None and not stopping.is_alive():
                left_open.close()  # paho's, where the connection came about while it was stopped

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
        self._answered = True
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
        unexplained = str(code) if self._answered else hung_up(tls=self._broker.tls)
        self._events.put(LinkChanged(connected=False, detail=self._complaint or unexplained))
        self._complaint, self._answered = None, False

    def _on_trouble(self, error: ssl.SSLError) -> None:
        self._complaint = in_words(error)

    def _on_connect_fail(self, client: paho.Client, _userdata: object) -> None:
        trouble = client.trouble if isinstance(client, _Client) else None
        detail = f"nobody answers at {self._broker.host}:{self._broker.port}"
        if isinstance(trouble, ssl.SSLError):
            detail = in_words(trouble)
        elif trouble is not None:
            detail = f"{detail} ({trouble.strerror or trouble})"
        self._events.put(LinkChanged(connected=False, detail=detail))

    def _on_message(
        self, _client: paho.Client, _userdata: object, message: paho.MQTTMessage
    ) -> None:
        self._events.put(Received(message.topic, bytes(message.payload), message.retain))
