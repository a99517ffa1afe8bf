"""`python -m tests.faults.leaping CONFIG OFFSET`: the daemon, with a wall clock that can be set.

OFFSET is a file that holds by how many seconds the wall clock is wrong; it is read at each look.
libfaketime would shift the monotonic clock too, which no setting of a clock does.
"""

import os
import sys
import time
from pathlib import Path

from edge_daemon.logs import log_to_stderr
from edge_daemon.serving import serve


class LeapingClock:
    """The machine's clocks, but for an offset of the wall clock.

    Args:
        offset: file with seconds, as text.
    """

    def __init__(self, offset: Path) -> None:
        self._offset = offset

    def now_ns(self) -> int:
        """Return wall time, wrong by what the file says."""
        return time.time_ns() + int(self._offset.read_text(encoding="ascii")) * 1_000_000_000

    def monotonic_ns(self) -> int:
        """Return `CLOCK_MONOTONIC`, that no setting of the clock touches."""
        return time.monotonic_ns()


if __name__ == "__main__":
    log_to_stderr()
    sys.exit(serve(Path(sys.argv[1]), LeapingClock(Path(sys.argv[2])), environ=os.environ))
