"""The courier: the one thread between the pipeline and the plant.

It owns the outbox and the connection to the broker. What is submitted is committed in the order of
submission, everything that waits in one transaction; only what is on disk is sent. Trouble with
the disk or the broker stays here: bookings wait in a bounded queue, and when that is full `submit`
blocks, so that the pipeline stops claiming lines as inspected which nobody could prove.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Final, Self

from edge_daemon.clock import Clock
from edge_daemon.core.messages import HealthReport, StatusReport
from edge_daemon.delivery.broker import Broker
from edge_daemon.delivery.intake import Booking, Intake
from edge_daemon.delivery.observer import DeliveryObserver
from edge_daemon.delivery.patience import DEFAULT_PATIENCE, Patience
from edge_daemon.delivery.rounds import Event, Flush, Rounds, Stop
from edge_daemon.delivery.sender import Sender
from edge_daemon.errors import StoreError
from edge_daemon.storage.outbox import DEFAULT_MAX_BYTES, Outbox
from edge_daemon.storage.recovery import Recovery

__all__ = ["Booking", "Courier"]

_log = logging.getLogger(__name__)

_TURN_S: Final = 0.5
_QUEUED_BOOKINGS: Final = 256
# With the farewell 2.8 s: a stop under load has 10 s in all.
_DRAIN_S: Final = 2.0


class Courier:
    """Takes bookings from any thread, makes them durable and delivers them.

    Opening starts the thread and waits until the outbox is open; leaving drains.

    Args:
        path: the outbox's file.
        status: what the birth says: running, since when, with which bundle.
        health: asked on the courier's thread each time that health is due; must not block.
        broker: where to deliver; None keeps everything in the outbox.
        clock: wall and monotonic time.
        observer: told about depth, connection and confirmations.
        on_announced: gets the topic below the root and the payload of each message just stored.
        beat: called at least twice a second while the thread is well.
        patience: waits and window.
        max_bytes: limit of the outbox's file; when it is reached, what matters least is given up.
    """

    def __init__(
        self,
        path: Path,
        status: StatusReport,
        *,
        health: Callable[[], HealthReport],
        broker: Broker | None,
        clock: Clock,
        observer: DeliveryObserver,
        on_announced: Callable[[str, bytes], None] = lambda _topic, _payload: None,
        beat: Callable[[], None] = lambda: None,
        patience: Patience = DEFAULT_PATIENCE,
        max_bytes: int = DEFAULT_MAX_BYTES,
    ) -> None:
        self._outbox = Outbox(path, clock, max_bytes=max_bytes)
        self._status = status
        self._health = health
        self._broker = broker
        self._clock = clock
        self._observer = observer
        self._on_announced = on_announced
        self._beat = beat
        self._patience = patience
        self._inbox: SimpleQueue[Event] = SimpleQueue()
        # Counts bookings submitted and not yet on disk; the inbox itself knows no limit.
        self._room = threading.Semaphore(_QUEUED_BOOKINGS)
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._refusal: StoreError | None = None
        self._initial_state: dict[str, str] = {}
        self._intake = Intake(self._outbox, clock, self._room)
        self._sender: Sender | None = None
        self._rounds: Rounds | None = None
        self._farewell = True

    def __enter__(self) -> Self:
        self._thread.start()
        self._opened.wait()
        if self._refusal is not None:
            self._thread.join()
            raise self._refusal
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def initial_state(self) -> Mapping[str, str]:
        """The documents as they were when the outbox was opened."""
        return self._initial_state

    @property
    def set_aside(self) -> Path | None:
        """Where an outbox went that couldn't be used; None is the rule."""
        return None if self.recovery is None else self.recovery.aside

    @property
    def recovery(self) -> Recovery | None:
        """What became of an outbox that couldn't be used, now or at the start; None is the rule."""
        return self._outbox.recovery

    @property
    def shed(self) -> int:
        """How many messages were given up since the start, for want of room."""
        return self._outbox.shed

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    @property
    def degraded(self) -> str | None:
        """Why nothing can be made durable just now; None while all is well."""
        return self._intake.trouble or (self._rounds.trouble if self._rounds else None)

    @property
    def unkept(self) -> int:
        """How many bookings are not on disk; once it is closed, they are gone."""
        return self._intake.waiting

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted the connection."""
        return self._sender is not None and self._sender.connected

    @property
    def broker_trouble(self) -> str | None:
        """Why there is no connection; None while there is one, or none is wanted."""
        return None if self._sender is None else self._sender.trouble

    def submit(self, booking: Booking, timeout_s: float | None = None) -> bool:
        """Hand over a booking; blocks while too many wait for the disk.

        Args:
            booking: from here on the courier's.
            timeout_s: how long to block at most; None: as long as it takes.

        Returns:
            whether it was taken; if not, submit the same one again.

        Raises:
            StoreError: the courier's thread has ended.
        """
        deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            if not self.alive:
                raise StoreError("the courier has stopped; restart the daemon")
            left_s = _TURN_S if deadline_s is None else deadline_s - time.monotonic()
            if self._room.acquire(timeout=min(max(left_s, 0.0), _TURN_S)):
                self._inbox.put(booking)
                return True
            if left_s <= 0:
                return False

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything submitted before is on disk; return whether it is."""
        flush = Flush(threading.Event())
        self._inbox.put(flush)
        return flush.done.wait(timeout_s)

    def omit_farewell(self) -> None:
        """At the end let the broker publish the will: this is no clean stop."""
        self._farewell = False

    def close(self, drain_s: float = _DRAIN_S) -> None:
        """Commit what was submitted, deliver until `drain_s` is over, say goodbye, stop.

        What couldn't be delivered stays in the outbox for the next start. Calling it again only
        waits for the thread's end.
        """
        self._inbox.put(Stop(drain_s))
        self._thread.join()

    def _run(self) -> None:
        try:
            with self._outbox as outbox:
                rounds = self._rounds = self._open(outbox)
                self._opened.set()
                rounds.serve()
                rounds.leave(farewell=self._farewell)
        except StoreError as error:
            if self._opened.is_set():
                raise
            self._refusal = error
        finally:
            self._opened.set()

    def _open(self, outbox: Outbox) -> Rounds:
        again = outbox.revive()
        if again:
            _log.info("%d messages refused for good earlier are offered again", again)
        # The last run didn't take leave of the broker: perhaps the whole box went down.
        if outbox.recall():
            _log.info("what was confirmed just before the last run ended is sent again")
        self._initial_state = outbox.state()
        if self._broker is not None:
            self._sender = Sender(
                self._broker,
                outbox,
                inbox=self._inbox,
                clock=self._clock,
                status=self._status,
                health=self._health,
                observer=self._observer,
                patience=self._patience,
            )
        return Rounds(
            outbox,
            inbox=self._inbox,
            intake=self._intake,
            sender=self._sender,
            clock=self._clock,
            observer=self._observer,
            on_announced=self._on_announced,
            beat=self._beat,
        )
