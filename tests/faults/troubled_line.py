"""A line whose daemon's disks are in trouble, and what the oracle says of it afterwards."""

import http
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import wait_until
from tests.faults.evidence import Announced, read_outbox
from tests.soak.line import Line, line
from tests.soak.schedule import Fault

_LOOK_S = 0.1
_LOSS_EVERY = 30


@contextmanager
def working_line(folder: Path, *settings: str) -> Iterator[Line]:
    """A line that has inspected something."""
    with line(folder, cameras=2, frames_per_s=4.0, seed=1, settings=settings) as it:
        wait_until(lambda: rows_inspected(it) > 0, within_s=60)
        yield it


def rows_inspected(it: Line) -> float:
    """How many the process that lives has looked at."""
    return it.daemon.look().total("lines_inspected_total")


def endure(it: Line, seconds: float, *, meanwhile: Callable[[], None] = lambda: None) -> list[str]:
    """Let a fault last; cameras lose frames all along, which has to be told.

    Returns:
        What /readyz said of it, each answer once.
    """
    said = dict[str, None]()
    for turn in range(round(seconds / _LOOK_S)):
        assert it.daemon.exit_code is None, it.daemon.log.read_text()
        status, answer = it.daemon.get("/readyz")
        if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
            said[answer] = None
        if turn % _LOSS_EVERY == 0:
            it.inject(Fault.LOST, turn // _LOSS_EVERY % 2)
        meanwhile()
        time.sleep(_LOOK_S)
    assert said, "it was ready all along"
    assert it.daemon.get("/readyz")[0] == http.HTTPStatus.SERVICE_UNAVAILABLE
    return list(said)


def recover(it: Line) -> float:
    """Wait until it inspects again, by itself; return how many seconds that took."""
    began_s = time.monotonic()
    it.daemon.await_ready()
    took_s = time.monotonic() - began_s
    before = rows_inspected(it)
    wait_until(lambda: rows_inspected(it) > before)
    return took_s


def look_at_outbox(it: Line, folder: Path) -> Announced:
    """What is announced by now, read while the daemon stands still."""
    os.kill(it.daemon.pid, signal.SIGSTOP)
    try:
        return read_outbox(it.daemon.state / "outbox.sqlite3", folder)
    finally:
        os.kill(it.daemon.pid, signal.SIGCONT)


def judge(it: Line, what: str, *, before: Announced | None = None) -> None:
    """Ask the oracle, which has to be content."""
    announced, coverage = it.finish()
    verdict = it.plant.judge((before or Announced()).joined(announced))
    print(f"{what}: {verdict}; {[*map(str, coverage)]}")  # noqa: T201 - figures for docs/reliability.md: pytest -s
    assert it.surprises == []
    assert verdict.content, verdict
    assert verdict.waiting == 0
    assert [str(each) for each in coverage if not each.content] == []
