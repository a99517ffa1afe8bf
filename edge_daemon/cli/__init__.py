"""`edge-daemon VERB`: the command line. Each verb loads only what it needs, when it is called."""

import sys

from edge_daemon.cli.app import app
from edge_daemon.errors import (
    EXIT_CONFIGURATION,
    EXIT_ENGINE,
    EXIT_FAILED,
    ConfigurationError,
    EdgeDaemonError,
    EngineError,
)


def main() -> None:
    """Run the command line; errors of ours become one line on stderr and an exit code."""
    try:
        app()
    except ConfigurationError as error:
        _leave(error, EXIT_CONFIGURATION)
    except EngineError as error:
        _leave(error, EXIT_ENGINE)
    except EdgeDaemonError as error:
        _leave(error, EXIT_FAILED)


def _leave(error: EdgeDaemonError, code: int) -> None:
    sys.stderr.write(f"edge-daemon: {error}\n")
    sys.exit(code)
