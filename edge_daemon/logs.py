"""How a process of ours logs."""

import logging
import os
import sys


def log_to_stderr() -> None:
    """Log as systemd's journal likes it: it stamps the time itself, a terminal doesn't."""
    stamp = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s "
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format=stamp + "%(levelname)s %(name)s: %(message)s"
    )
