import sqlite3

from edge_daemon.delivery.courier import Booking
from tests.conftest import wait_until
from tests.edge_daemon.bodies import stretch
from tests.edge_daemon.delivery.conftest import Station
from tests.faults.fake_broker import FakeBroker


def test_a_row_whose_topic_was_damaged_is_buried_and_the_others_arrive(
    fake_broker: FakeBroker, station: Station
) -> None:
    with station.courier(None) as courier:
        courier.submit(Booking((stretch(1), stretch(2), stretch(3))))
    connection = sqlite3.connect(station.path, isolation_level=None)
    # Not UTF-8, and with a wildcard: the first would stop every reading, the second the thread.
    connection.execute("UPDATE outbox SET topic = CAST(x'6576ff23' AS TEXT) WHERE seq = 2")
    connection.close()
    with station.courier(fake_broker.port):
        wait_until(lambda: len(station.watcher.latencies_s) == 2)
        wait_until(lambda: len(station.watcher.buried) == 1)
    assert fake_broker.seqs() == [1, 3]
    assert "damaged" in station.watcher.buried[0][1]
