"""Being told to stop, or to take a new configuration."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_STOPPING: Final = (signal.SIGINT, signal.SIGTERM)


class Orders:
    """What the process has been told by signals; only the main thread may wait."""

    def __init__(self) -> None:
        self._stop = False
        self._reload = False
        self._come = threading.Event()

    @property
    def stop(self) -> bool:
        """Whether it shall end; once given this order stands."""
        return self._stop

    def give(self, number: int, _frame: FrameType | None = None) -> None:
        """Take an order: SIGHUP asks for a new configuration, the others for the end."""
        if number == signal.SIGHUP:
            self._reload = True
        else:
            self._stop = True
        self._come.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for an order; returns whether there is one."""
        return self._come.wait(timeout_s)

    def take_reload(self) -> bool:
        """Whether a new configuration was asked for; asking forgets it."""
        asked, self._reload = self._reload, False
        if not self._stop:
            self._come.clear()
        return asked


@contextmanager
def follow_orders() -> Iterator[Orders]:
    """Give what SIGINT, SIGTERM and SIGHUP order; their handlers are put back afterwards.

    Only the main thread may use it.
    """
    orders = Orders()
    with _handled(orders.give, *_STOPPING, signal.SIGHUP):
        yield orders


@contextmanager
def stop_on_signals() -> Iterator[threading.Event]:
    """Give a flag that SIGINT and SIGTERM set; their handlers are put back afterwards.

    Only the main thread may use it.
    """
    stop = threading.Event()
    with _handled(lambda _number, _frame: stop.set(), *_STOPPING):
        yield stop


@contextmanager
def _handled(
    handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals
) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
