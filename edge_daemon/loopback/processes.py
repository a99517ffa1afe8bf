"""Starting and awaiting processes of our own on loopback."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from edge_daemon.errors import EdgeDaemonError
from edge_daemon.loopback.scraping import get

POLL_S = 0.1
_PATIENCE_S = 60.0


def command(verb: str) -> list[str]:
    """`edge-daemon VERB` of this very installation."""
    return [sys.executable, "-m", "edge_daemon", verb]


@contextlib.contextmanager
def running(
    command: list[str], *, stdout: IO[bytes] | int, stderr: IO[Any]
) -> "Iterator[subprocess.Popen[bytes]]":
    """A process for as long as the block lasts."""
    with subprocess.Popen(command, stdout=stdout, stderr=stderr) as process:  # noqa: S603 - our own command
        try:
            yield process
        finally:
            process.terminate()
            process.wait(timeout=_PATIENCE_S)


def await_ready(http: str, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until /readyz says yes.

    Raises:
        EdgeDaemonError: the daemon has ended, or isn't ready in time.
    """

    def ready() -> bool:
        if daemon.poll() is not None:
            said = log.read_text(encoding="utf-8")
            raise EdgeDaemonError(f"the daemon ended with {daemon.returncode}:\n{said}")
        return get(f"http://{http}/readyz") is not None

    await_true(ready, "the daemon")


def await_true(reached: Callable[[], bool], what: str) -> None:
    """Wait until something is so.

    Raises:
        EdgeDaemonError: it isn't within a minute.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not reached():
        if time.monotonic() > deadline:
            raise EdgeDaemonError(f"waited {_PATIENCE_S:g} s for {what}")
        time.sleep(POLL_S)


def free_port() -> int:
    """A TCP port on loopback that nobody uses just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
