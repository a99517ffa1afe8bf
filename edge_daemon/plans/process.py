"""The build's process, seen from outside: started, listened to, and ended whatever happens."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

from pydantic import ValidationError

from edge_daemon.plans.child import Built, Job, Line
from edge_daemon.plans.faults import BuildStoppedError, NoPlanError

POLL_S = 0.2
GRACE_S = 5.0
LAST_BYTES, LAST_LINES = 4000, 12
COMMAND = (sys.executable, "-m", "edge_daemon.plans")


@contextlib.contextmanager
def start_build(
    job: Job, command: tuple[str, ...] = COMMAND, *, grace_s: float = GRACE_S
) -> "Iterator[BuildProcess]":
    """A process that builds one plan, for as long as the block lasts; then it is ended.

    Args:
        job: what to build.
        command: what to start.
        grace_s: seconds between asking it to end and killing it.
    """
    with (
        tempfile.TemporaryFile() as log,  # not a pipe, which somebody would have to empty
        subprocess.Popen(  # noqa: S603 - our own command
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        try:
            yield BuildProcess(process, job, log=log, selector=selector)
        finally:
            _end(process, grace_s)


class BuildProcess:
    """A running build; `start_build` makes it.

    Args:
        process: with pipes on standard input and output.
        job: sent to it at once.
        log: takes its standard error.
        selector: for nothing else.
    """

    def __init__(
        self,
        process: "subprocess.Popen[bytes]",
        job: Job,
        *,
        log: IO[bytes],
        selector: selectors.BaseSelector,
    ) -> None:
        self._process = process
        self._log = log
        self._selector = selector
        self._unread = b""
        self._last: Line | None = None
        if process.stdin is not None and process.stdout is not None:
            selector.register(process.stdout, selectors.EVENT_READ)
            with contextlib.suppress(BrokenPipeError):  # it has died; its last words say of what
                process.stdin.write(job.model_dump_json().encode() + b"\n")
                process.stdin.flush()

    @property
    def is_talking(self) -> bool:
        """False once it has closed its standard output."""
        return bool(self._selector.get_map())

    def listen(self, stop: threading.Event, *, left_s: float) -> Line | None:
        """Wait a moment for what it says.

        Args:
            stop: gives it up.
            left_s: seconds that it may still take.

        Returns:
            The last line that came, or None if none did.

        Raises:
            BuildStoppedError: told to stop.
            NoPlanError: its time is up, or it talks nonsense.
        """
        if stop.is_set():
            raise BuildStoppedError("told to stop: the build was given up")
        if left_s <= 0:
            raise NoPlanError(f"the build took too long and was ended{self._last_words()}")
        for ready, _ in self._selector.select(min(POLL_S, left_s)):
            more = os.read(ready.fd, 65536)
            if not more:
                self._selector.unregister(ready.fileobj)
            *texts, self._unread = (self._unread + more).split(b"\n")
            for text in texts:
                self._last = self._read(text)
            return self._last if texts else None
        return None

    def result(self) -> Built:
        """What it built; ask when it has stopped talking.

        Raises:
            NoPlanError: nothing.
        """
        line = self._last or Line()
        if line.failed is not None:
            raise NoPlanError(line.failed)
        try:
            code = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired as error:
            raise NoPlanError(f"the build doesn't end{self._last_words()}") from error
        if code == 0 and line.built is not None:
            return line.built
        raise NoPlanError(f"the build {_manner_of(code)}{self._last_words()}")

    def _read(self, text: bytes) -> Line:
        try:
            return Line.model_validate_json(text)
        except ValidationError as error:
            raise NoPlanError(f"the build said {text[:200]!r}{self._last_words()}") from error

    def _last_words(self) -> str:
        end = self._log.seek(0, os.SEEK_END)
        self._log.seek(max(end - LAST_BYTES, 0))
        lines = self._log.read().decode(errors="replace").splitlines()[-LAST_LINES:]
        return "; it said last:\n" + "\n".join(lines) if lines else ""


def _end(process: "subprocess.Popen[bytes]", grace_s: float) -> None:
    process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()


def _manner_of(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed, perhaps for want of memory: the kernel's log tells"
    if code < 0:
        return f"died of {signal.Signals(-code).name}"
    return f"ended with {code} and without a result"
