"""Talk to the service manager: sd_notify(3) and the watchdog of systemd.

The protocol is one datagram of `KEY=value` lines to the socket named in `$NOTIFY_SOCKET`. Without
that variable (a terminal, a container, a test) nothing is sent and nothing fails.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

from edge_daemon.errors import ConfigurationError
from edge_daemon.telemetry.health import Health, Report

_SEND_TIMEOUT_S = 1.0  # a service manager that doesn't read must not hold up the main loop
_RELOAD_US = (35 + 120) * 1_000_000  # TimeoutStopSec= and TimeoutStartSec= of edge-daemon.service
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends states to the service manager.

    Attributes:
        address: path of the socket, `@name` in the abstract namespace, or None to send nothing.
        watchdog_us: time-out of the watchdog, microseconds, or None where there is none.
    """

    address: str | None
    watchdog_us: int | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Notifier":
        """Take the address from `$NOTIFY_SOCKET`, the watchdog's time-out from `$WATCHDOG_USEC`.

        Raises:
            ConfigurationError: the time-out isn't a number.
        """
        interval_s = watchdog_interval_s(environ)
        watchdog_us = None if interval_s is None else round(interval_s * 2e6)
        return cls(environ.get("NOTIFY_SOCKET") or None, watchdog_us)

    def ready(self) -> None:
        """Say that start-up, or a reload, is finished; the watchdog is as strict as configured."""
        self._send("READY=1" + self._watchdog(self.watchdog_us))

    def status(self, text: str) -> None:
        """Set the line that `systemctl status` shows."""
        self._send("STATUS=" + " ".join(text.split()))  # a line break would start a new key

    def reloading(self) -> None:
        """Say that a new configuration is being looked at; `ready` ends that either way.

        Until then the watchdog bears with a run that ends and one that starts, as it does at a
        stop and at a start; while a service reloads, systemd would have it go on as ever.
        """
        now_us = time.monotonic_ns() // 1000
        self._send(f"RELOADING=1\nMONOTONIC_USEC={now_us}" + self._watchdog(_RELOAD_US))

    def stopping(self) -> None:
        """Say that the daemon is on its way out."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Put off the watchdog once more."""
        self._send("WATCHDOG=1")

    def _watchdog(self, timeout_us: int | None) -> str:
        return "" if self.watchdog_us is None else f"\nWATCHDOG_USEC={timeout_us}"

    def _send(self, message: str) -> None:
        if self.address is None:
            return
        # Linux spells abstract names with a leading NUL, the environment with "@" (unix(7)).
        path = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(_SEND_TIMEOUT_S)
            try:
                sender.sendto(message.encode(), path)
            except OSError as error:
                _LOG.warning("can't notify %s of %s: %s", self.address, message, error)


def watchdog_interval_s(environ: Mapping[str, str]) -> float | None:
    """Return how often the watchdog wants to be fed, or None if there is none for this process.

    Half of the time-out, as sd_watchdog_enabled(3) recommends.

    Raises:
        ConfigurationError: `$WATCHDOG_USEC` or `$WATCHDOG_PID` isn't a number.
    """
    timeout_us = environ.get("WATCHDOG_USEC")
    if not timeout_us:
        return None
    process = environ.get("WATCHDOG_PID", str(os.getpid()))
    if not (timeout_us.isdecimal() and process.isdecimal()):
        raise ConfigurationError(
            f"WATCHDOG_USEC={timeout_us!r}, WATCHDOG_PID={process!r}: expected whole numbers; "
            "unset both to run without systemd's watchdog"
        )
    if int(process) != os.getpid():
        return None
    return int(timeout_us) / 2 / 1_000_000


def feed_watchdog(notifier: Notifier, health: Health) -> Report:
    """Feed the watchdog if every worker is alive, and return what was found.

    Called from the main loop, at least once per `watchdog_interval_s`: a stalled worker or a
    stalled main loop then ends in a restart by systemd.
    """
    report = health.live()
    if report.ok:
        notifier.watchdog()
    return report
