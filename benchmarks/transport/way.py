"""What a contestant is: two ends, each run in a process of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from benchmarks.transport.frames import Dispatch, Meter

Opened: TypeAlias = Callable[[], None]
"""To be called by the receiving end once a sender may begin."""
Held: TypeAlias = Callable[[], None]
"""To be called by the sending end when all is sent, before it closes: waits for the receiver."""

PATIENCE_S: Final = 5.0
"""A receiving end that hears nothing for so long gives up: frames were lost."""


class Receive(Protocol):
    """Binds or connects, and hands over frames until no more are expected or none come."""

    def __call__(self, address: str, meter: Meter, *, opened: Opened) -> None:
        """Run to the end of a passage."""
        ...


class Send(Protocol):
    """Binds or connects, and sends as fast as the other end takes it."""

    def __call__(self, address: str, dispatch: Dispatch, *, held: Held) -> None:
        """Run to the end of a passage."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """A contestant.

    Attributes:
        name: for the tables.
        send: the camera's end.
        receive: the other one.
    """

    name: str
    send: Send
    receive: Receive
