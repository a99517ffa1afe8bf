"""Who we are towards the broker: user and password, certificates, as their files are now."""

import ssl
from collections.abc import Callable

import paho.mqtt.client as paho

from edge_daemon.certificates import client_context
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.trouble import telling_socket


def identify(
    client: paho.Client,
    broker: Broker,
    *,
    on_trouble: Callable[[ssl.SSLError], None] = lambda _: None,
) -> None:
    """Give a client what it needs to be let in.

    Args:
        client: not yet connected.
        broker: where to, and as whom.
        on_trouble: told, on the client's thread, what TLS complains of after the handshake.

    Raises:
        ConfigurationError: a file can't be read or isn't what it should be.
    """
    if broker.username is not None:
        client.username_pw_set(broker.username, broker.password())
    if broker.tls:
        context = client_context(broker.ca_file, broker.cert_file, broker.key_file, section="mqtt")
        context.sslsocket_class = telling_socket(on_trouble)
        client.tls_set_context(context)
