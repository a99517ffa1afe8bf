from edge_daemon.evidence.observer import DropReason
from edge_daemon.telemetry.evidence import EvidenceMetrics
from edge_daemon.telemetry.metrics import Metrics


def test_what_the_keeper_tells_is_counted() -> None:
    registry = Metrics().registry
    metrics = EvidenceMetrics(registry)
    metrics.frame_kept()
    metrics.frame_dropped(DropReason.SLOW)
    metrics.file_finished()
    metrics.file_deleted()
    metrics.folder_changed(1234)
    metrics.trouble_changed(None)
    prefix = "edge_daemon_evidence"
    for name, value in {
        "frames_total": 1,
        "files_total": 1,
        "files_deleted_total": 1,
        "bytes": 1234,
        "working": 1,
    }.items():
        assert registry.get_sample_value(f"{prefix}_{name}") == value
    dropped = {
        reason: registry.get_sample_value(
            f"{prefix}_frames_dropped_total", {"reason": reason.value}
        )
        for reason in DropReason
    }
    assert dropped == {reason: float(reason is DropReason.SLOW) for reason in DropReason}
    metrics.trouble_changed("the disk is full")
    assert registry.get_sample_value(f"{prefix}_working") == 0
