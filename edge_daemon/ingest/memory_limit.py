"""Ends the process in order before it has eaten the machine's memory.

ZeroMQ gathers all parts of a message before it hands over the first, and nothing bounds how many
they are: 94 MiB of empty parts took 3 GiB here within four seconds. A peer has to be let in to do
that, and the daemon can't stop it; but it can leave with a word, its books in order, before the
kernel kills whatever it likes.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from edge_daemon.errors import EdgeDaemonError

_STATM = Path("/proc/self/statm")
_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/proc/self/cgroup")
_CGROUPS = Path("/sys/fs/cgroup")
_STATM_BYTES: Final = 256
_PAGE_BYTES: Final = 4096
_SHARE: Final = 0.8
_LOOK_EVERY_NS: Final = 100_000_000
_MIB: Final = 2**20


class MemoryLimitError(EdgeDaemonError):
    """The process has grown beyond its limit and has to leave; systemd starts it again."""


def resident_bytes() -> int:
    """How much memory this process holds now."""
    with _STATM.open("rb", buffering=0) as statm:
        return _resident_bytes(statm)


def _resident_bytes(statm: FileIO) -> int:
    return int(os.pread(statm.fileno(), _STATM_BYTES, 0).split()[1]) * _PAGE_BYTES


def allowed_bytes(max_process_mib: int | None) -> int:
    """How much it may hold: as configured, else four fifths of what there is.

    What there is: the machine's memory, or less where a control group (systemd's MemoryHigh and
    MemoryMax, a container) grants less.
    """
    if max_process_mib is not None:
        return max_process_mib * _MIB
    lines = _MEMINFO.read_text(encoding="ascii").splitlines()
    total = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    return int(min([total, *_granted_bytes()]) * _SHARE)


def _granted_bytes() -> list[int]:
    """Limits of the control groups (v2) that the process is in, outermost last."""
    if not _CGROUP.exists():
        return []
    paths = [
        line.removeprefix("0::")
        for line in _CGROUP.read_text(encoding="utf-8").splitlines()
        if line.startswith("0::")
    ]
    granted = []
    for path in paths:
        group = _CGROUPS / path.lstrip("/")
        for folder in (group, *group.parents):
            for limit in (folder / "memory.high", folder / "memory.max"):
                if folder.is_relative_to(_CGROUPS) and limit.exists():
                    text = limit.read_text(encoding="ascii").strip()
                    granted += [int(text)] if text.isdigit() else []
    return granted


class MemoryLimit:
    """Holds what the process takes against what it may.

    While its `with` block is open it keeps the kernel's file open, too: when that is needed most
    there may be no descriptor left.

    Args:
        max_bytes: how much it may hold.
        resident: how much it holds; by default what the kernel says.
    """

    def __init__(self, max_bytes: int, resident: Callable[[], int] = resident_bytes) -> None:
        self._max_bytes = max_bytes
        self._resident = resident
        self._looked_ns: int | None = None
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        if self._resident is resident_bytes:
            statm = self._exits.enter_context(_STATM.open("rb", buffering=0))
            self._resident = partial(_resident_bytes, statm)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._exits.close()

    def check(self, now_ns: int) -> None:
        """Look, ten times a second at most.

        Args:
            now_ns: on the monotonic clock.

        Raises:
            MemoryLimitError: it holds more than it may.
        """
        if self._looked_ns is not None and now_ns - self._looked_ns < _LOOK_EVERY_NS:
            return
        self._looked_ns = now_ns
        held = self._resident()
        if held > self._max_bytes:
            raise MemoryLimitError(
                f"the process holds {held / _MIB:.0f} MiB, {self._max_bytes / _MIB:.0f} at most "
                "([ingest] max_process_mib): a camera sends messages without end, or queue_mib, "
                "max_payload_mib or [evidence] memory_mib are too large for this machine"
            )
