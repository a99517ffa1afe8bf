"""What a benchmark can't do."""

from edge_daemon.errors import EdgeDaemonError


class BenchmarkError(EdgeDaemonError):
    """Nothing fair can be said: a peer is missing, fell silent, or gave another answer."""
