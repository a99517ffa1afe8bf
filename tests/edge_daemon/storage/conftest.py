"""Fixtures that the courier's tests have, too."""

from tests.edge_daemon.delivery.conftest import fake_broker

__all__ = ["fake_broker"]
