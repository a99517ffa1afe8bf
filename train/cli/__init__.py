"""`python -m train VERB`: the command line. Each verb loads only what it needs, when it is called.

Exit codes: 0 good, 1 the work failed or found faults, 2 usage, 78 bad configuration or data.
"""

import sys

from edge_daemon.errors import EXIT_CONFIGURATION, EXIT_FAILED, ConfigurationError, EdgeDaemonError
from train.cli.app import app


def main() -> None:
    """Entry point: what a person can mend ends in one line, not in a traceback."""
    try:
        app()
    except ConfigurationError as error:
        _leave(error, EXIT_CONFIGURATION)
    except EdgeDaemonError as error:
        _leave(error, EXIT_FAILED)
    except ModuleNotFoundError as error:
        _leave(
            f"{error.name} isn't installed; `make setup` installs what training needs", EXIT_FAILED
        )


def _leave(error: EdgeDaemonError | str, code: int) -> None:
    sys.stderr.write(f"error: {error}\n")
    sys.exit(code)
