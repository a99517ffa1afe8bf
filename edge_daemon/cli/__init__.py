"""`edge-daemon VERB`: the command line. Each verb loads only what it needs, when it is called."""

import sys

from edge_daemon.cli.app import app
from edge_daemon.errors import EdgeDaemonError


def main() -> None:
    """Run the command line; errors of ours become one line on stderr and an exit code."""
    try:
        app()
    except EdgeDaemonError as error:
        sys.stderr.write(f"edge-daemon: {error}\n")
        sys.exit(error.exit_code)
