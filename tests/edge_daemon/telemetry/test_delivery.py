import pytest

from edge_daemon.telemetry.delivery import DeliveryMetrics
from edge_daemon.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def delivery(metrics: Metrics) -> DeliveryMetrics:
    return DeliveryMetrics(metrics)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"edge_daemon_{name}", labels)


def test_what_waits_and_since_when_is_shown(metrics: Metrics, delivery: DeliveryMetrics) -> None:
    delivery.depth_changed(3, 1_700_000_000_500_000_000)
    assert delivery.depth == 3
    assert value(metrics, "outbox_depth") == 3
    assert value(metrics, "outbox_oldest_timestamp_seconds") == 1_700_000_000.5


def test_an_empty_outbox_has_no_oldest(metrics: Metrics, delivery: DeliveryMetrics) -> None:
    delivery.depth_changed(3, 1_700_000_000_500_000_000)
    delivery.depth_changed(0, None)
    assert delivery.depth == 0
    assert value(metrics, "outbox_depth") == 0
    assert value(metrics, "outbox_oldest_timestamp_seconds") == 0


def test_the_first_connection_is_no_reconnect(metrics: Metrics, delivery: DeliveryMetrics) -> None:
    assert value(metrics, "mqtt_connected") == 0
    for connected, reconnects in ((True, 0), (False, 0), (True, 1), (False, 1), (True, 2)):
        delivery.connection_changed(connected=connected)
        assert value(metrics, "mqtt_connected") == connected
        assert value(metrics, "mqtt_reconnects_total") == reconnects


def test_a_latency_is_observed_where_it_is_known(
    metrics: Metrics, delivery: DeliveryMetrics
) -> None:
    delivery.confirmed(0.03, unrouted=False)
    delivery.confirmed(None, unrouted=False)
    assert value(metrics, "alert_latency_seconds_count") == 1
    assert value(metrics, "alert_latency_seconds_sum") == 0.03
    assert value(metrics, "alerts_unrouted_total") == 0


def test_an_alert_that_nobody_subscribes_to_is_counted(
    metrics: Metrics, delivery: DeliveryMetrics
) -> None:
    delivery.confirmed(0.03, unrouted=True)
    assert value(metrics, "alerts_unrouted_total") == 1


def test_a_message_that_is_given_up_is_counted_and_named(
    metrics: Metrics, delivery: DeliveryMetrics, caplog: pytest.LogCaptureFixture
) -> None:
    delivery.dead("event/defect", "payload format invalid")
    assert value(metrics, "outbox_dead") == 1
    assert "refuses a message on event/defect for good: payload format invalid" in caplog.text
