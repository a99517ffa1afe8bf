"""SIGTERM in the worst moment: full queues, and a broker behind a black hole."""

import http
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Mosquitto, wait_until
from tests.edge_daemon.conftest import DaemonProcess, messages_of, needs_mosquitto
from tests.faults.evidence import read_outbox
from tests.faults.plant import Plant
from tests.faults.proxy import Proxy, Weather
from tests.faults.station import TOPICS, StationProcess

pytestmark = [pytest.mark.broker, pytest.mark.timeout(300), needs_mosquitto]
LEAVES_S = 10.0


def test_a_station_under_load_leaves_and_tells_the_rest_at_the_next_start(tmp_path: Path) -> None:
    with (
        Mosquitto(tmp_path) as broker,
        Plant(broker.port, TOPICS) as plant,
        Proxy(broker.port) as proxy,
        StationProcess(tmp_path, "--port", str(proxy.port), "--rate", "5000") as station,
    ):
        plant.await_more(100)
        proxy.weather = Weather.BLACK_HOLE
        at_least = station.announced + 1000
        wait_until(lambda: station.announced > at_least)
        assert station.stop(within_s=LEAVES_S) == 0
        left = station.testimony()
        assert len(left.waiting) > 1000
        proxy.weather = Weather.FAIR
        station.start("--count", "1")
        wait_until(lambda: len({m["id"] for m in plant.durable()}) > left.last_seq)
        assert station.stop() == 0
        verdict = plant.judge(station.testimony())
    assert verdict.content, verdict


def test_the_daemon_leaves_in_ten_seconds_whatever_waits(recording: Path, tmp_path: Path) -> None:
    frames = messages_of(recording)
    with (
        Mosquitto(tmp_path) as broker,
        Plant(broker.port, TOPICS) as plant,
        Proxy(broker.port) as proxy,
    ):
        daemon = DaemonProcess(tmp_path, mqtt_url=proxy.url)
        with daemon, daemon.camera() as camera:
            wait_until(lambda: daemon.scrape().total("mqtt_connected") == 1)
            proxy.weather = Weather.BLACK_HOLE
            for parts in frames:
                camera.send_multipart(parts)
            wait_until(lambda: daemon.scrape().total("outbox_depth") > 0)
            began_s = time.monotonic()
            assert daemon.stop() == 0
            took_s = time.monotonic() - began_s
            left = read_outbox(daemon.state / "outbox.sqlite3", tmp_path)
            assert left.waiting
            proxy.weather = Weather.FAIR
            daemon.start()
            wait_until(lambda: daemon.get("/readyz")[0] == http.HTTPStatus.OK)
            wait_until(lambda: daemon.scrape().total("outbox_depth") == 0)
            assert daemon.stop(signal.SIGTERM) == 0
        after = read_outbox(daemon.state / "outbox.sqlite3", tmp_path)
        verdict = plant.judge(left.joined(after))
    print(f"left after {took_s:.1f} s with {len(left.waiting)} messages waiting; {verdict}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert verdict.content, verdict
    assert took_s < LEAVES_S
