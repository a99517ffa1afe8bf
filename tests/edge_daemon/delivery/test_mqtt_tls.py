"""TLS to a real broker that wants a certificate and a password, and every way in which it fails."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.mqtt import Acknowledged, Closed, Connected, Link
from edge_daemon.delivery.outgoing import Outgoing
from edge_daemon.delivery.subscriber import LinkChanged, Subscriber
from edge_daemon.errors import ConfigurationError
from tests.conftest import Mosquitto, free_port
from tests.guarded_site import PASSWORD, Site, needs_guarded_broker

pytestmark = [pytest.mark.broker, needs_guarded_broker]
WILL = Outgoing("edge/test/status", b"{}", retain=True)
PATIENCE_S = 20
ATTEMPTS = 3
"""A broker's last words may be lost when it hangs up on what we had said already."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site.in_folder(tmp_path_factory.mktemp("site"))


def first_event(broker: Broker) -> Connected | Closed:
    """What comes of one attempt to connect."""
    inbox: SimpleQueue[Any] = SimpleQueue()
    link = Link(broker, WILL, inbox)
    link.open()
    event = inbox.get(timeout=PATIENCE_S)
    assert isinstance(event, Connected | Closed)
    if isinstance(event, Connected):
        link.publish(Outgoing("edge/test/event/x", b"{}"))
        assert isinstance(inbox.get(timeout=PATIENCE_S), Acknowledged)
        link.close(with_will=False)
        assert isinstance(inbox.get(timeout=PATIENCE_S), Closed)
    return event


def reason(broker: Broker) -> str:
    event = first_event(broker)
    assert isinstance(event, Closed)
    return event.reason


def subscribers_reason(broker: Broker) -> str:
    with Subscriber(broker) as subscriber:
        event = next(subscriber.events(idle_s=PATIENCE_S))
    assert isinstance(event, LinkChanged)
    assert not event.connected
    return event.detail


def test_with_every_certificate_and_the_password_it_connects_and_publishes(
    mosquitto_with: Callable[..., Mosquitto], site: Site
) -> None:
    broker = site.broker(site.start(mosquitto_with).port)
    assert isinstance(first_event(broker), Connected)


WRONG: dict[str, tuple[Callable[[Site, Broker], Broker], str]] = {
    "the authority of somebody else": (
        lambda site, broker: replace(broker, ca_file=site.stranger.certificate),
        r"broker's certificate is not accepted: .*; name the authority .*\[mqtt\] ca_file",
    ),
    "the authorities of the system": (
        lambda _, broker: replace(broker, ca_file=None),
        r"broker's certificate is not accepted: .*; name the authority .*\[mqtt\] ca_file",
    ),
    "another host name": (
        lambda _, broker: replace(broker, host="localhost"),
        r"not accepted: Hostname mismatch, .*'localhost'; \[mqtt\] url has to name the broker",
    ),
    "no client certificate": (
        lambda _, broker: replace(broker, cert_file=None, key_file=None),
        r"the broker asks for a client certificate; .* \[mqtt\] certificate_file",
    ),
    "an expired client certificate": (
        lambda site, broker: replace(
            broker,
            cert_file=site.folder / "plant" / "old-client.pem",
            key_file=site.folder / "plant" / "old-client.key",
        ),
        r"the broker says that our client certificate has expired; renew it",
    ),
    "a client certificate of somebody else": (
        lambda site, broker: replace(
            broker,
            cert_file=site.folder / "stranger" / "client.pem",
            key_file=site.folder / "stranger" / "client.key",
        ),
        r"the broker doesn't know the authority that signed our client certificate",
    ),
    "no TLS at all": (
        lambda _, broker: Broker.from_url(f"mqtt://127.0.0.1:{broker.port}", "edge/test"),
        r"the broker hung up without an answer; .* mqtts://",
    ),
    "a password file that is gone": (
        lambda site, broker: replace(broker, password_file=site.folder / "none"),
        r"\[mqtt\] password_file = .*none.*can't be read",
    ),
    "a key of somebody else": (
        lambda site, broker: replace(broker, key_file=site.folder / "stranger" / "client.key"),
        r"\[mqtt\] key_file = .*doesn't belong to the certificate",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_on_our_side_is_told_with_the_remedy(
    mosquitto_with: Callable[..., Mosquitto], site: Site, what: str
) -> None:
    spoil, expected = WRONG[what]
    broker = spoil(site, site.broker(site.start(mosquitto_with).port))
    assert any(re.search(expected, reason(broker)) for _ in range(ATTEMPTS))
    if expected.startswith(r"\[mqtt\]"):
        with pytest.raises(ConfigurationError, match=expected):
            subscribers_reason(broker)
    else:
        assert any(re.search(expected, subscribers_reason(broker)) for _ in range(ATTEMPTS))


def test_an_expired_certificate_of_the_broker_is_told_with_the_remedy(
    mosquitto_with: Callable[..., Mosquitto], site: Site
) -> None:
    broker = site.broker(site.start(mosquitto_with, "old-broker").port)
    for told in (reason(broker), subscribers_reason(broker)):
        assert "not accepted: certificate has expired; renew it on the broker" in told


def test_a_port_that_speaks_no_tls_is_told_apart(mosquitto: Mosquitto, site: Site) -> None:
    broker = site.broker(mosquitto.port)
    assert "what answers seems to speak no TLS" in reason(broker)
    assert "nobody answers" not in subscribers_reason(broker)


def test_a_closed_port_is_told_apart(site: Site) -> None:
    assert "refused" in reason(site.broker(free_port()))


def test_a_password_and_a_certificate_that_are_exchanged_count_at_the_next_connection(
    mosquitto_with: Callable[..., Mosquitto], site: Site, tmp_path: Path
) -> None:
    files = {name: tmp_path / name for name in ("password", "client.pem", "client.key")}
    files["password"].write_text("the one of last year\n")
    shutil.copy(site.folder / "plant" / "client.pem", files["client.pem"])
    shutil.copy(site.folder / "plant" / "client.key", files["client.key"])
    broker = replace(
        site.broker(site.start(mosquitto_with).port),
        password_file=files["password"],
        cert_file=files["client.pem"],
        key_file=files["client.key"],
    )
    assert "Not authorized" in reason(broker)
    files["password"].write_text(PASSWORD)
    assert isinstance(first_event(broker), Connected)
    shutil.copy(site.folder / "plant" / "old-client.pem", files["client.pem"])
    shutil.copy(site.folder / "plant" / "old-client.key", files["client.key"])
    assert "has expired" in reason(broker)
    shutil.copy(site.folder / "plant" / "client.pem", files["client.pem"])
    shutil.copy(site.folder / "plant" / "client.key", files["client.key"])
    assert isinstance(first_event(broker), Connected)
