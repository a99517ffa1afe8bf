"""Who watches delivery: metrics, readiness."""

from typing import Protocol


class DeliveryObserver(Protocol):
    """Who wants to know how delivery goes; called on the courier's thread, must not block."""

    def depth_changed(self, depth: int, oldest_ns: int | None) -> None:
        """So many messages wait; the oldest was stored then (ns since 1970 UTC)."""
        ...

    def connection_changed(self, *, connected: bool) -> None:
        """The broker has accepted the connection, or it is gone."""
        ...

    def confirmed(self, latency_s: float | None, *, unrouted: bool) -> None:
        """The broker has taken a message.

        Args:
            latency_s: since the frame behind it arrived; None without one of this run.
            unrouted: nobody was subscribed.
        """
        ...

    def dead(self, topic: str, reason: str) -> None:
        """A message was given up until the next start."""
        ...
