import pytest

from edge_daemon.clock import ManualClock
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from edge_daemon.telemetry.evidence import EvidenceMetrics
from edge_daemon.telemetry.metrics import Metrics


@pytest.fixture
def used_metrics() -> Metrics:
    """Metrics of which every labelled one has at least one series."""
    metrics = Metrics(cameras=["top-1"])
    EvidenceMetrics(metrics.registry)
    metrics.frames_rejected.labels("top-1", RejectReason.CRC32).inc()
    metrics.lines_not_inspected.labels("top-1", NotInspectedReason.LOST).inc(512)
    metrics.defects.labels("top-1", "scratch").inc()
    metrics.last_frame_timestamp_seconds.labels("top-1").set(1_700_000_000)
    metrics.stage_seconds.labels("segment").observe(0.004)
    metrics.frame_latency_seconds.observe(0.02)
    metrics.alert_latency_seconds.observe(0.1)
    metrics.queue_depth.labels("frames").set(3)
    metrics.set_build(version="1.2.3", bundle="steel-1", sqlite="3.40.1", onnxruntime="1.19")
    metrics.set_engine("onnxruntime")
    return metrics


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
