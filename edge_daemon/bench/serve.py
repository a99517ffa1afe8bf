"""`python -m edge_daemon.bench.serve CONFIG [--null]`: the daemon, if need be without a network."""

import os
import sys
from pathlib import Path

from edge_daemon.bench.null_network import without_network
from edge_daemon.clock import SystemClock
from edge_daemon.engine import Engine, load_configured
from edge_daemon.logs import log_to_stderr
from edge_daemon.serving import serve
from edge_daemon.settings import BundleSection


def _load_without_network(section: BundleSection) -> Engine:
    return without_network(load_configured(section))


def main(config: str, *options: str) -> int:
    """Serve until a signal comes; returns the exit code."""
    log_to_stderr()
    chosen = _load_without_network if "--null" in options else load_configured
    return serve(Path(config), SystemClock(), environ=os.environ, load_engine=chosen)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
