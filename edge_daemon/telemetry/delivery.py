"""Delivery, as metrics: what the courier tells is put into gauges and counters."""

import logging

from edge_daemon.telemetry.metrics import Metrics

_LOG = logging.getLogger(__name__)


class DeliveryMetrics:
    """Keeps the metrics of delivery up to date; called on the courier's thread.

    Attributes:
        depth: messages that wait, as last told.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._connections = 0
        self.depth = 0

    def depth_changed(self, depth: int, oldest_ns: int | None) -> None:
        """So many messages wait; the oldest was stored then (ns since 1970 UTC)."""
        self.depth = depth
        self._metrics.outbox_depth.set(depth)
        self._metrics.outbox_oldest_timestamp_seconds.set((oldest_ns or 0) / 1e9)

    def connection_changed(self, *, connected: bool) -> None:
        """The broker has accepted the connection, or it is gone."""
        self._metrics.mqtt_connected.set(int(connected))
        if connected:
            self._connections += 1
            if self._connections > 1:
                self._metrics.mqtt_reconnects.inc()
        _LOG.info("broker %s", "connected" if connected else "away; alerts are kept on disk")

    def confirmed(self, latency_s: float | None, *, unrouted: bool) -> None:
        """The broker has taken a message; `latency_s` since its frame arrived, where known."""
        if latency_s is not None:
            self._metrics.alert_latency_seconds.observe(latency_s)
        if unrouted:
            self._metrics.alerts_unrouted.inc()

    def dead(self, topic: str, reason: str) -> None:
        """A message was given up until the next start."""
        self._metrics.outbox_dead.inc()
        _LOG.error("the broker refuses a message on %s for good: %s", topic, reason)
