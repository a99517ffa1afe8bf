"""Every metric of the daemon: names and labels are public, a change here is a breaking change.

Names are `edge_daemon_<thing>_<unit>[_total]` in base units. Labels come from closed sets: reasons
and stages from enumerations, classes from the bundle, cameras from the configuration. Camera ids
that only the network knows are admitted up to a limit; the rest are counted together as `other`,
so that a stranger with many names can't fill the memory. `docs/metrics.md` lists all of them.
"""

import threading
from collections.abc import Iterable
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric

from edge_daemon.core.picture_quality import PictureFault
from edge_daemon.core.reasons import NotInspectedReason
from edge_daemon.errors import RejectReason
from edge_daemon.ingest.turned_away import TurnedAway

OTHER_CAMERA = "other"
MAX_CAMERAS = 64

# From a strip on a desktop GPU to one on a small CPU; closest where a limit is likely to be set.
FRAME_BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05),
    *(0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0),
)
# An alert may wait for the broker as long as the broker is away, hence the tail.
ALERT_BUCKETS_S = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    *(60.0, 600.0, 3600.0),
)

_Series = TypeVar("_Series", Counter, Gauge)


class CameraNames:
    """Which camera ids get a label of their own.

    Args:
        configured: ids from the configuration; always admitted.
        limit: how many ids are admitted in all, strangers included.
    """

    def __init__(self, configured: Iterable[str], limit: int) -> None:
        self._admitted = set(configured)
        self._limit = limit
        self._lock = threading.Lock()  # guards the check-then-add on _admitted

    def label(self, camera: str) -> str:
        """Return `camera`, or `other` once the limit is reached."""
        if camera in self._admitted:
            return camera
        with self._lock:
            if len(self._admitted) >= self._limit:
                return OTHER_CAMERA
            self._admitted.add(camera)
            return camera


class PerCamera(Generic[_Series]):
    """A counter or gauge whose first label is the camera."""

    def __init__(self, series: _Series, cameras: CameraNames) -> None:
        self._series: _Series = series
        self._cameras = cameras

    def labels(self, camera: str, *others: str) -> _Series:
        """Return the series of one camera.

        Args:
            camera: id as it came in; unbounded input is safe here.
            *others: values of the remaining labels in the order of the metric, from closed sets.
        """
        return self._series.labels(self._cameras.label(camera), *others)


class Registry(CollectorRegistry):
    """A registry without `_created` series.

    They double the number of series and nothing here reads them; the library can leave them out
    only for the whole process, which isn't ours to decide when the package is imported.
    """

    def collect(self) -> Iterable[Metric]:
        """Yield every metric less its `_created` samples."""
        for metric in super().collect():
            metric.samples = [s for s in metric.samples if not s.name.endswith("_created")]
            yield metric


class _Maker:
    """Creates series in one registry, with the daemon's prefix."""

    def __init__(self, registry: Registry, cameras: CameraNames) -> None:
        self._registry = registry
        self._cameras = cameras

    def counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(f"edge_daemon_{name}", meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return Gauge(f"edge_daemon_{name}", meaning, labels, registry=self._registry)

    def camera_counter(self, name: str, meaning: str, *labels: str) -> PerCamera[Counter]:
        full_name, all_labels = f"edge_daemon_{name}", ("camera", *labels)
        series = Counter(full_name, meaning, all_labels, registry=self._registry)
        return PerCamera(series, self._cameras)

    def camera_gauge(self, name: str, meaning: str) -> PerCamera[Gauge]:
        return PerCamera(self.gauge(name, meaning, "camera"), self._cameras)

    def histogram(
        self, name: str, meaning: str, *labels: str, buckets: tuple[float, ...]
    ) -> Histogram:
        full_name = f"edge_daemon_{name}"
        return Histogram(full_name, meaning, labels, registry=self._registry, buckets=buckets)


class Metrics:
    """All metrics of one daemon, in a registry of its own.

    Timestamps are seconds since 1970 UTC, never ages; 0 means "never" or "nothing there".

    Args:
        cameras: configured camera ids; their series exist from the start, at 0.
        max_cameras: how many camera ids get a label of their own, strangers included.
    """

    def __init__(self, cameras: Iterable[str] = (), max_cameras: int = MAX_CAMERAS) -> None:
        configured = tuple(cameras)
        self.registry = Registry()
        make = _Maker(self.registry, CameraNames(configured, max_cameras))
        per_camera = make.camera_counter
        self.frames_received = per_camera("frames_received", "Frames that arrived.")
        self.frames_rejected = per_camera("frames_rejected", "Frames refused.", "reason")
        self.frames_lost = per_camera("frames_lost", "Frames missing from the sequence.")
        self.streams_resumed = per_camera(
            "streams_resumed", "Streams that went on after another of the camera had begun."
        )
        self.lines_inspected = per_camera("lines_inspected", "Pixel rows with a verdict.")
        self.lines_not_inspected = per_camera(
            "lines_not_inspected", "Pixel rows nobody looked at.", "reason"
        )
        self.image_quality = per_camera(
            "image_quality", "Frames whose picture was not fit to be looked at.", "kind"
        )
        self.defects = per_camera("defects", "Defects found, each once.", "class")
        self.last_frame_timestamp_seconds = make.camera_gauge(
            "last_frame_timestamp_seconds", "When the last frame arrived."
        )
        self.stage_seconds = make.histogram(
            "stage_seconds", "Time a frame spent in a stage.", "stage", buckets=FRAME_BUCKETS_S
        )
        self.frame_latency_seconds = make.histogram(
            "frame_latency_seconds", "From arrival to verdict.", buckets=FRAME_BUCKETS_S
        )
        self.queue_depth = make.gauge("queue_depth", "Items waiting in a queue.", "queue")
        self.config_reload_success = make.gauge(
            "config_reload_success",
            "1 while the configuration last read is the one in use, else 0.",
        )
        self.known_answer_timestamp_seconds = make.gauge(
            "known_answer_timestamp_seconds", "When the network last gave the known answer."
        )
        self._create_doors(make)
        self._create_delivery(make)
        self._create_process(make)
        for camera in configured:
            self._stand_at_zero(camera)

    def _stand_at_zero(self, camera: str) -> None:
        # Prometheus sees no increase in a series that begins with its first event.
        for counter in (
            self.frames_received,
            self.frames_lost,
            self.streams_resumed,
            self.lines_inspected,
        ):
            counter.labels(camera)
        for rejected in RejectReason:
            self.frames_rejected.labels(camera, rejected)
        for not_inspected in NotInspectedReason:
            self.lines_not_inspected.labels(camera, not_inspected)
        for kind in PictureFault:
            self.image_quality.labels(camera, kind)
        self.last_frame_timestamp_seconds.labels(camera)

    def _create_doors(self, make: _Maker) -> None:
        self.handshake_failures = make.counter(
            "handshake_failures", "Connections that were turned away.", "reason"
        )
        for reason in TurnedAway:
            self.handshake_failures.labels(reason)
        self.camera_disconnects = make.counter(
            "camera_disconnects", "Connections of cameras that ended."
        )

    def _create_delivery(self, make: _Maker) -> None:
        self.alert_latency_seconds = make.histogram(
            "alert_latency_seconds",
            "From arrival of the frame to confirmation by the broker.",
            buckets=ALERT_BUCKETS_S,
        )
        self.outbox_depth = make.gauge("outbox_depth", "Messages not yet confirmed.")
        self.outbox_oldest_timestamp_seconds = make.gauge(
            "outbox_oldest_timestamp_seconds", "When the oldest unconfirmed message was stored."
        )
        self.outbox_dead = make.gauge(
            "outbox_dead", "Messages the broker refuses; offered again at the next start."
        )
        self.outbox_shed = make.gauge(
            "outbox_shed", "Messages given up since the start, the outbox being full."
        )
        self.alerts_unrouted = make.counter(
            "alerts_unrouted", "Alerts confirmed although nobody subscribes to them."
        )
        self.mqtt_connected = make.gauge("mqtt_connected", "1 while the broker is connected.")
        self.mqtt_reconnects = make.counter("mqtt_reconnects", "Connections after the first.")

    def _create_process(self, make: _Maker) -> None:
        self.ready = make.gauge("ready", "1 while /readyz says so.")
        self.build_info = make.gauge(
            "build_info",
            "What is running; always 1.",
            *("version", "bundle", "sqlite", "onnxruntime"),
        )
        self.engine_info = make.gauge("engine_info", "What runs the network; always 1.", "runtime")
        ProcessCollector(registry=self.registry)

    def set_engine(self, runtime: str) -> None:
        """State what runs the network, in place of what was stated before."""
        self.engine_info.clear()
        self.engine_info.labels(runtime).set(1)

    def set_build(self, *, version: str, bundle: str, sqlite: str, onnxruntime: str) -> None:
        """State what is running, in place of what was stated before."""
        self.build_info.clear()
        self.build_info.labels(version, bundle, sqlite, onnxruntime).set(1)
