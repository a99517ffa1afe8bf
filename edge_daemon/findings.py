"""What `edge-daemon check` finds of folders and doors, and the form that a finding has."""

import errno
import os
import tempfile
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path

from edge_daemon.clock import SystemClock
from edge_daemon.errors import EdgeDaemonError
from edge_daemon.ingest.endpoint import bind_pull
from edge_daemon.settings import HttpSection
from edge_daemon.telemetry.health import Health
from edge_daemon.telemetry.metrics import Metrics
from edge_daemon.telemetry.web import WebServer
from edge_daemon.unit import Unit

_PROBE_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        subject: what was checked.
        ok: whether it is as it should be.
        detail: what was found; if it isn't ok, what is wrong and the remedy.
    """

    subject: str
    ok: bool
    detail: str


def check_folder(section: str, folder: Path, unit: Unit | None) -> Finding:
    """Can the daemon write there? The folder isn't made.

    Args:
        section: of the configuration, whose `directory` it is.
        folder: which.
        unit: as what the daemon runs; by default as we do.
    """
    if unit is not None and not unit.may_write_below(folder):
        places = ", ".join(map(str, unit.writable or ()))
        detail = (
            f"{folder}: {unit.name} may write nowhere but below {places}; name a folder there with "
            f"[{section}] directory, or allow this one with ReadWritePaths= in a drop-in"
        )
        return Finding(section, ok=False, detail=detail)
    given = unit is not None and unit.will_be_given(folder)
    try:
        with nullcontext() if unit is None or given else unit.acting():
            detail = _probe(folder)
    except (OSError, EdgeDaemonError) as error:
        found = error.strerror if isinstance(error, OSError) else error
        detail = (
            f"{folder}: can't be written ({found}); name another folder with [{section}] "
            "directory, or run this as the user of the daemon"
        )
        return Finding(section, ok=False, detail=detail)
    return Finding(section, ok=True, detail=f"{folder} {detail}")


def _probe(folder: Path) -> str:
    """What can be said of a folder that can be used; raises OSError for another."""
    there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
    # Without a name where the file system can: what is there stays untouched in any case.
    if there == folder:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(os.urandom(_PROBE_BYTES))
        return "can be written"
    with tempfile.TemporaryFile(dir=there):
        return "isn't there yet; it will be made"


class Doors:
    """Tries addresses, and keeps those that it gets until the end, so that none is had twice.

    Args:
        held: what closes them.
        listened: what the daemon that runs on the state folder listens on, as `listens_on` has it;
            empty where none runs, None where that can't be seen.
    """

    def __init__(self, held: ExitStack, listened: frozenset[int | str] | None) -> None:
        self._held = held
        self._listened = listened
        self._claimed: set[int | str] = set()

    def check_endpoint(self, endpoint: str) -> Finding:
        """Can cameras be waited for there?"""
        port = endpoint.rpartition(":")[2]
        if self._is_the_daemons(int(port) if port.isdecimal() else endpoint.removeprefix("ipc://")):
            return Finding("cameras", ok=True, detail=_in_use(endpoint))
        try:
            self._held.enter_context(bind_pull(endpoint, max_part_bytes=1))
        except EdgeDaemonError as error:
            if self._listened is None and _is_taken(error):
                return Finding("cameras", ok=True, detail=_in_use(endpoint))
            return Finding("cameras", ok=False, detail=f"[ingest] bind: {error}")
        return Finding("cameras", ok=True, detail=f"{endpoint} is free")

    def check_http(self, section: HttpSection) -> Finding:
        """Can the pages be served there, with these files?"""
        in_use = self._is_the_daemons(int(section.bind.rpartition(":")[2]))
        server = _server(section, "127.0.0.1:0" if in_use else section.bind)
        try:
            self._held.enter_context(server)
        except EdgeDaemonError as error:
            if self._listened is not None or not _is_taken(error):
                return Finding("http", ok=False, detail=str(error))
            in_use = True
        detail = _in_use(section.bind) if in_use else f"{section.bind} is free"
        warnings = _server(section, section.bind).warnings
        return Finding("http", ok=True, detail="; ".join([detail, *warnings]))

    def _is_the_daemons(self, door: int | str) -> bool:
        """Whether the daemon that runs listens there, and nobody here has asked for it yet."""
        if not self._listened or door not in self._listened or door in self._claimed:
            return False
        self._claimed.add(door)
        return True


def _server(section: HttpSection, bind: str) -> WebServer:
    return WebServer(
        bind,
        Metrics(),
        health=Health(SystemClock()),
        certificate_file=section.certificate_file,
        key_file=section.key_file,
        token_file=section.token_file,
    )


def _is_taken(error: EdgeDaemonError) -> bool:
    return os.strerror(errno.EADDRINUSE) in str(error)


def _in_use(address: str) -> str:
    return f"{address} is in use, by the daemon that runs"
