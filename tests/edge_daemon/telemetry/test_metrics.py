import re
import threading
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from edge_daemon.telemetry.metrics import MAX_CAMERAS, Metrics

PAGE = Path(__file__).parents[3] / "docs" / "metrics.md"
CONTRACT = {
    "edge_daemon_frames_received_total{camera}",
    "edge_daemon_frames_rejected_total{camera,reason}",
    "edge_daemon_frames_lost_total{camera}",
    "edge_daemon_streams_resumed_total{camera}",
    "edge_daemon_lines_inspected_total{camera}",
    "edge_daemon_lines_not_inspected_total{camera,reason}",
    "edge_daemon_defects_total{camera,class}",
    "edge_daemon_stage_seconds{stage}",
    "edge_daemon_frame_latency_seconds{}",
    "edge_daemon_alert_latency_seconds{}",
    "edge_daemon_outbox_depth{}",
    "edge_daemon_outbox_oldest_timestamp_seconds{}",
    "edge_daemon_mqtt_connected{}",
    "edge_daemon_build_info{version,bundle,sqlite,onnxruntime}",
}
ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<kind>\w+) \|(?P<labels>[^|]*)\| \S", re.MULTILINE)


def exported(metrics: Metrics) -> set[tuple[str, str, frozenset[str]]]:
    """Return name, type and labels of each metric."""
    found = set()
    for family in metrics.registry.collect():
        assert family.samples, f"the fixture used_metrics doesn't touch {family.name}"
        labels = frozenset(key for s in family.samples for key in s.labels) - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found.add((name, family.type, labels))
    return found


def documented(page: str) -> set[tuple[str, str, frozenset[str]]]:
    """Return the same from the tables of the page."""
    return {
        (row["name"], row["kind"], frozenset(re.findall(r"`(\w+)`", row["labels"])))
        for row in ROW.finditer(page)
    }


def test_every_metric_of_the_contract_is_exported_with_its_labels(used_metrics: Metrics) -> None:
    names_and_labels = {(name, labels) for name, _, labels in exported(used_metrics)}
    for promised in CONTRACT:
        name, _, labels = promised.rstrip("}").partition("{")
        assert (name, frozenset(filter(None, labels.split(",")))) in names_and_labels


def test_the_page_lists_exactly_the_metrics_that_are_exported(used_metrics: Metrics) -> None:
    assert documented(PAGE.read_text()) == exported(used_metrics)


def test_a_row_missing_from_the_page_would_be_noticed(used_metrics: Metrics) -> None:
    page = PAGE.read_text().replace(
        "| `edge_daemon_outbox_depth` |", "| edge_daemon_outbox_depth |"
    )
    missing = exported(used_metrics) - documented(page)
    assert missing == {("edge_daemon_outbox_depth", "gauge", frozenset())}


def test_the_global_registry_stays_clear_of_the_daemon(used_metrics: Metrics) -> None:
    assert exported(used_metrics)
    assert not any(family.name.startswith("edge_daemon") for family in REGISTRY.collect())


def test_two_daemons_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.mqtt_reconnects.inc()
    assert one.registry.get_sample_value("edge_daemon_mqtt_reconnects_total") == 1
    assert other.registry.get_sample_value("edge_daemon_mqtt_reconnects_total") == 0


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_no_created_series_appear_in_any_format(used_metrics: Metrics, accept: str) -> None:
    encode, _ = choose_encoder(accept)
    text = encode(used_metrics.registry).decode()
    assert "edge_daemon_stage_seconds_bucket" in text
    assert "_created" not in text


def test_the_openmetrics_text_parses(used_metrics: Metrics) -> None:
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    text = encode(used_metrics.registry).decode()
    families = text_string_to_metric_families(text)  # type: ignore[no-untyped-call] # the library's
    assert "edge_daemon_frame_latency_seconds" in {family.name for family in families}


def test_strangers_beyond_the_limit_are_counted_together_and_none_is_lost() -> None:
    metrics = Metrics()
    for n in range(1000):
        metrics.frames_rejected.labels(f"stranger-{n}", RejectReason.CAMERA_ID).inc()
    samples = [
        sample
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == "edge_daemon_frames_rejected_total"
    ]
    assert len(samples) == MAX_CAMERAS + 1
    assert {s.labels["camera"]: s.value for s in samples}["other"] == 1000 - MAX_CAMERAS
    assert sum(s.value for s in samples) == 1000


def test_a_configured_camera_keeps_its_name_however_many_strangers_came_first() -> None:
    metrics = Metrics(cameras=["top-1"], max_cameras=2)
    for n in range(10):
        metrics.frames_received.labels(f"stranger-{n}").inc()
    metrics.frames_received.labels("top-1").inc()
    received = metrics.registry.get_sample_value
    assert received("edge_daemon_frames_received_total", {"camera": "top-1"}) == 1
    assert received("edge_daemon_frames_received_total", {"camera": "stranger-0"}) == 1
    assert received("edge_daemon_frames_received_total", {"camera": "other"}) == 9


def test_the_limit_holds_when_strangers_come_on_many_threads() -> None:
    metrics = Metrics(max_cameras=5)

    def count(thread: int) -> None:
        for n in range(50):
            metrics.frames_received.labels(f"{thread}-{n}").inc()

    threads = [threading.Thread(target=count, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = generate_latest(metrics.registry).decode()
    assert len(re.findall(r"^edge_daemon_frames_received_total{", text, re.MULTILINE)) == 6


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("edge_daemon_frames_received_total", {}),
        ("edge_daemon_frames_rejected_total", {"reason": RejectReason.STALE}),
        ("edge_daemon_lines_not_inspected_total", {"reason": NotInspectedReason.ENGINE_FAULT}),
        ("edge_daemon_last_frame_timestamp_seconds", {}),
    ],
)
def test_a_configured_camera_stands_at_zero_before_its_first_frame(
    name: str, labels: dict[str, str]
) -> None:
    metrics = Metrics(cameras=["top-1"])
    assert metrics.registry.get_sample_value(name, {"camera": "top-1", **labels}) == 0


def test_a_second_statement_of_the_build_replaces_the_first(used_metrics: Metrics) -> None:
    used_metrics.set_build(version="1.2.4", bundle="steel-2", sqlite="3.40.1", onnxruntime="1.19")
    text = generate_latest(used_metrics.registry).decode()
    assert re.findall(r'^edge_daemon_build_info{bundle="(.*?)"', text, re.MULTILINE) == ["steel-2"]
