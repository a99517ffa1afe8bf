"""A daemon of which a thread stands still while a file names it; "all" are those with a heart.

    python stalling.py CONFIG STALLED

All else is the real one. The thread stands where it would give its sign of life, unpack, or serve
clients; and time runs faster for the daemon, so that a stall of 10 s takes 2.5.
"""

import os
import sys
import threading
import time
from pathlib import Path

from edge_daemon.clock import SystemClock
from edge_daemon.logs import log_to_stderr
from edge_daemon.preparing import Preparer, Read, Ready, Refused
from edge_daemon.serving import serve
from edge_daemon.telemetry.connections import ConnectionServer
from edge_daemon.telemetry.health import Heart

HURRY = 4


class HurriedClock(SystemClock):
    def monotonic_ns(self) -> int:
        return HURRY * super().monotonic_ns()


def make_stallable(stalled: Path) -> None:
    """Let any thread stand still for as long as the file holds its name."""
    beat, serve_clients = Heart.beat, ConnectionServer.service_actions
    unpack = Preparer.unpack

    def stand_still(*calls: str) -> None:
        while stalled.read_text() in calls:
            time.sleep(0.02)

    def slow_beat(self: Heart) -> None:
        stand_still(threading.current_thread().name, "all")
        beat(self)

    def slow_unpacking(self: Preparer, read: Read) -> Refused | Ready:
        stand_still(threading.current_thread().name)
        return unpack(self, read)

    def slow_serving(self: ConnectionServer) -> None:
        stand_still(threading.current_thread().name)
        serve_clients(self)

    Heart.beat = slow_beat  # type: ignore[method-assign] # what this launcher is for
    Preparer.unpack = slow_unpacking  # type: ignore[method-assign] # ditto
    ConnectionServer.service_actions = slow_serving  # type: ignore[method-assign] # ditto


def main() -> int:
    config, stalled = (Path(argument) for argument in sys.argv[1:])
    make_stallable(stalled)
    log_to_stderr()
    return serve(config, HurriedClock(), environ=os.environ)


if __name__ == "__main__":
    sys.exit(main())
