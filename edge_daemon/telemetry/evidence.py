"""Evidence, as metrics: what the keeper tells is put into gauges and counters."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from edge_daemon.evidence.observer import DropReason


class EvidenceMetrics:
    """Keeps the metrics of evidence up to date; called on the keeper's threads.

    Args:
        registry: the daemon's.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._frames = Counter(
            "edge_daemon_evidence_frames", "Frames written as evidence.", registry=registry
        )
        self._dropped = Counter(
            "edge_daemon_evidence_frames_dropped",
            "Frames of evidence that were not written.",
            ("reason",),
            registry=registry,
        )
        self._files = Counter(
            "edge_daemon_evidence_files", "Recordings finished as evidence.", registry=registry
        )
        self._deleted = Counter(
            "edge_daemon_evidence_files_deleted",
            "Old recordings deleted to make room.",
            registry=registry,
        )
        self._bytes = Gauge(
            "edge_daemon_evidence_bytes", "Bytes of finished evidence.", registry=registry
        )
        self._working = Gauge(
            "edge_daemon_evidence_working", "0 while evidence can't be kept.", registry=registry
        )
        for reason in DropReason:
            self._dropped.labels(reason.value)

    def frame_kept(self) -> None:
        """A frame was written."""
        self._frames.inc()

    def frame_dropped(self, reason: DropReason) -> None:
        """A frame of evidence was not written."""
        self._dropped.labels(reason.value).inc()

    def file_finished(self) -> None:
        """A file got its name."""
        self._files.inc()

    def file_deleted(self) -> None:
        """An old file made room."""
        self._deleted.inc()

    def folder_changed(self, size: int) -> None:
        """The folder holds so many bytes of evidence."""
        self._bytes.set(size)

    def trouble_changed(self, trouble: str | None) -> None:
        """Nothing can be kept, and why; None: it can again."""
        self._working.set(int(trouble is None))
