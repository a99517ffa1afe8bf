"""`edge-daemon VERB`: the command line. Each verb loads only what it needs, when it is called."""

import os
import sys
from typing import Final

from edge_daemon.cli.app import app
from edge_daemon.errors import EdgeDaemonError

_MOST_PX: Final = 16384


def main() -> None:
    """Run the command line; errors of ours become one line on stderr and an exit code."""
    _bound_pictures()
    try:
        app()
    except EdgeDaemonError as error:
        sys.stderr.write(f"edge-daemon: {error}\n")
        sys.exit(error.exit_code)


def _bound_pictures() -> None:
    """Have OpenCV refuse what no camera sends: a file of kilobytes may claim gigabytes of pixels.

    It reads these once, when it is loaded, and nothing has loaded it yet.
    """
    most = {"WIDTH": _MOST_PX, "HEIGHT": _MOST_PX, "PIXELS": _MOST_PX**2}
    for what, limit in most.items():
        os.environ.setdefault(f"OPENCV_IO_MAX_IMAGE_{what}", str(limit))
