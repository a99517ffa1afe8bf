from pathlib import Path

import pytest

from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.subscriber import LinkChanged, Received, Subscriber
from edge_daemon.errors import ConfigurationError
from tests.conftest import Mosquitto, Publisher

ROOT = "edge/test"


@pytest.mark.broker
def test_it_follows_its_root_only_and_comes_back_after_the_broker_went(
    mosquitto: Mosquitto, publisher: Publisher
) -> None:
    with Subscriber(Broker.from_url(mosquitto.url, ROOT)) as subscriber:
        events = subscriber.events(20)
        assert next(events) == LinkChanged(connected=True)
        publisher.publish("edge/other/event/x", b"1")
        publisher.publish(f"{ROOT}/event/x", b"2")
        assert next(events) == Received(f"{ROOT}/event/x", b"2", retained=False)
        mosquitto.kill()
        gone = next(events)
        assert isinstance(gone, LinkChanged)
        assert not gone.connected
        mosquitto.start()
        assert LinkChanged(connected=True) in events


def test_a_password_that_cannot_be_read_is_the_operators_business(tmp_path: Path) -> None:
    broker = Broker.from_url("mqtt://u@127.0.0.1", ROOT, password_file=tmp_path / "none")
    with pytest.raises(ConfigurationError, match="none"), Subscriber(broker):
        pass
