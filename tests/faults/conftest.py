"""What the fault tests share with the daemon's own."""

from tests.edge_daemon.conftest import recording

__all__ = ["recording"]
